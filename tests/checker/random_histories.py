"""Small random histories, valid and invalid in about equal parts, from a seed.

Two to four clients of one object do up to eight operations.  Three kinds are mixed:

- *simulated*: each operation takes effect at an instant between its invocation and its
  return (a doubtful one perhaps later, perhaps never), so the history is valid;
- *mutated*: a simulated one, one answer of which is changed: perhaps still valid;
- *random*: every answer is drawn: mostly invalid.

Operations complete, fail, crash (``info``) or stay open; time often stands still, so
that events tie.  `pack` puts many such histories into one, each under a key and with
processes of its own, since one large call is faster than a thousand small ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Final, Literal

import msgspec

from histories import Event, EventType, Json
from tests.checker.bruteforce import Operation, Step, register, store

BLOCKED: Final = object()
"""What an object says that cannot answer now: the client waits, or gives up and never returns."""

_WAITS: Final = 0.7
"""How often a client that is blocked tries again; so often that most get through."""

_PROCESSES_PER_KEY: Final = 1_000


@dataclass(frozen=True)
class Object:
    """What the clients talk to: its model by name and by definition, and what to draw."""

    model: str
    step: Step
    initial: Json
    functions: Sequence[str]
    argument: Callable[[Random, str], Json]
    answer: Callable[[Random, str], Json]  # anything it might say to this function
    says: Callable[[Random, Json, Client], Json]  # what it says in this state, or BLOCKED
    told: Callable[[Random, Client], Json]  # how it says that, in an `ok`
    lies: Sequence[str]  # the functions of which a wrong answer is worth a try
    chooses: Callable[[Random, Client], str] | None = None  # what this client does next


def _register_argument(random: Random, f: str) -> Json:
    if f == "cas":
        return [random.randrange(3), random.randrange(3)]
    return random.randrange(3) if f == "write" else None


def _register_answer(random: Random, f: str) -> Json:
    if f == "cas":
        return random.choice([False, False, True, None])
    return random.randrange(3) if f == "read" else None


def _store_argument(random: Random, f: str) -> Json:
    return None if f == "get" else random.choice("ab")


def _store_answer(random: Random, f: str) -> Json:
    return "".join(random.choices("ab", k=random.randrange(4))) if f == "get" else None


def _value_says(_random: Random, state: Json, client: Client) -> Json:
    """What a register or a string says: of all it might say, what is legal now."""
    if client.f == "cas":
        return client.argument[0] == state
    return state if client.f in ("read", "get") else None


def _value_told(random: Random, client: Client) -> Json:
    """Success may be told in several ways."""
    if client.f == "cas" and client.answer is not False:
        return random.choice([True, None, client.argument])
    return client.answer if client.f in ("cas", "read", "get") else client.argument


def of_values(
    model: str,
    step: Step,
    initial: Json,
    functions: Sequence[str],
    argument: Callable[[Random, str], Json],
    answer: Callable[[Random, str], Json],
) -> Object:
    lies = ("read", "cas", "get")
    says, told = _value_says, _value_told
    return Object(model, step, initial, functions, argument, answer, says, told, lies)


OBJECTS: Final = {
    "register": of_values(
        "register", register, 0, ("read", "write"), _register_argument, _register_answer
    ),
    "cas-register": of_values(
        "cas-register", register, 0, ("read", "write", "cas"), _register_argument, _register_answer
    ),
    "kv": of_values("kv", store, "", ("get", "put", "append"), _store_argument, _store_answer),
}

Kind = Literal["simulated", "mutated", "random"]
_KINDS: Final[tuple[Kind, ...]] = ("simulated", "mutated", "mutated", "random", "random")


def random_history(
    random: Random,
    thing: Object,
    kind: Kind | None = None,
    doubtful: float | None = None,
    operations: int | None = None,
) -> list[Event]:
    """One history of one object; of its operations a part of `doubtful` does not end well.

    `operations` says how many there are, by default a few.
    """
    kind = kind or random.choice(_KINDS)
    events = _play(random, thing, kind == "random", doubtful, operations)
    return _mutate(random, thing, events) if kind == "mutated" else events


@dataclass
class Client:
    """One client in the middle of something; `ends` is how its operation will end."""

    process: int
    step: Literal["idle", "invoked", "effected"] = "idle"
    f: str = ""
    argument: Json = None
    answer: Json = None
    ends: EventType | Literal["pending"] = "ok"


def _play(
    random: Random, thing: Object, drawn: bool, doubtful: float | None, operations: int | None
) -> list[Event]:
    clients = [Client(process) for process in range(random.randint(2, 4))]
    left = operations or random.randint(2, 8)
    state, time = thing.initial, 0
    if doubtful is None:
        doubtful = random.choice([0.0, 0.1, 0.4])
    events: list[Event] = []

    def record(client: Client, kind: EventType, value: Json) -> None:
        events.append(Event(len(events), time, client.process, kind, client.f, None, value))

    while busy := [c for c in clients if c.step != "idle" or left]:
        client = random.choice(busy)
        time += random.choice((0, 1))
        if client.step == "idle":
            left -= 1
            client.f = (
                thing.chooses(random, client) if thing.chooses else random.choice(thing.functions)
            )
            client.argument = thing.argument(random, client.f)
            client.ends = "ok"
            if random.random() < doubtful:
                client.ends = random.choice(("fail", "info", "info", "pending"))
            client.step = "invoked"
            record(client, "invoke", client.argument)
        elif client.step == "invoked":
            happens = client.ends == "ok" or (client.ends != "fail" and random.random() < 0.5)
            client.answer = thing.says(random, state, client)
            if client.answer is BLOCKED:
                if not drawn and random.random() < _WAITS:
                    continue
                client.ends = client.ends if drawn else "pending"
                client.answer, happens = None, False
            if happens:
                state = _after(thing, state, client)
            if drawn:
                client.answer = thing.answer(random, client.f)
            client.step = "effected"
        else:
            client.step = "idle"
            if client.ends != "pending":
                record(client, client.ends, _reported(random, thing, client))
            if client.ends in ("info", "pending"):
                client.process += len(clients)
    return events


def _after(thing: Object, state: Json, client: Client) -> Json:
    done = Operation(0, client.f, client.argument, client.answer, 0, 0, client.process)
    legal, after = thing.step(state, done)
    assert legal, (state, done)
    return after


def _reported(random: Random, thing: Object, client: Client) -> Json:
    """A doubtful operation tells nothing."""
    return client.argument if client.ends != "ok" else thing.told(random, client)


def _mutate(random: Random, thing: Object, events: list[Event]) -> list[Event]:
    """Change one answer; where there is none, let two events change places."""
    told = [e for e in events if e.type == "ok" and e.f in thing.lies]
    if not told:
        return events if thing.lies else _exchanged(random, events)
    changed = random.choice(told)
    lie = msgspec.structs.replace(changed, value=thing.answer(random, changed.f))
    return [lie if event is changed else event for event in events]


def _exchanged(random: Random, events: list[Event]) -> list[Event]:
    """Two neighbouring events of different processes, each at the time of the other."""
    pairs = [(a, b) for a, b in pairwise(events) if a.process != b.process]
    if not pairs:
        return events
    first, second = random.choice(pairs)
    moved = {
        first.index: msgspec.structs.replace(second, index=first.index, time=first.time),
        second.index: msgspec.structs.replace(first, index=second.index, time=second.time),
    }
    return [moved.get(event.index, event) for event in events]


def pack(histories: Sequence[Sequence[Event]]) -> list[Event]:
    """One history of all of them: the k-th under the key k; neighbours overlap in time."""

    def moved(key: int, events: Sequence[Event]) -> Iterator[Event]:
        for event in events:
            assert isinstance(event.process, int)
            yield msgspec.structs.replace(
                event,
                key=key,
                time=event.time + 3 * key,
                process=event.process + _PROCESSES_PER_KEY * key,
            )

    together = [e for key, events in enumerate(histories) for e in moved(key, events)]
    together.sort(key=lambda event: event.time)
    return [msgspec.structs.replace(e, index=i) for i, e in enumerate(together)]
