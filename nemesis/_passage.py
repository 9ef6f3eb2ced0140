"""What a connection through a proxy goes through, seen by one who makes it.

A *conversation* sends the system's ping some times over and reads the answers; a `Passage`
says how that went.  What a toxic promises is held against it: "not before so many
milliseconds", "an end before the last byte", "a reset".  Such promises are kept however
busy the machine is; that the same conversation is quick without the toxic is not, so a
slow one is repeated before the toxic gets the credit.
"""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from cluster import Host, Route

Dial: TypeAlias = Callable[[], Awaitable[socket.socket]]
Attributes: TypeAlias = Mapping[str, int]
Sides: TypeAlias = Sequence[int]
Pings: TypeAlias = Callable[[Attributes, Sides], int]

PROOF_S: Final = 0.25
"""A conversation is made long enough that a toxic delays it by this much, if it can."""
TRAFFIC_BYTES_MAX: Final = 64 * 1024
PATIENCE_S: Final = 5.0
"""Beyond what the toxic takes, after which silence is silence."""
HUSH_S: Final = 0.6
"""For toxics that swallow everything: so long no byte may come."""
TRIES_MAX: Final = 6
AT_ONCE: Final = 3
JITTER_PINGS: Final = 8
LATENCY_MS_MIN: Final = 20
LENIENCY: Final = 0.9
"""Of what a toxic promises: answers may be a little shorter than the one that was measured."""
CLEAR: Final = "clear"
_CHUNK: Final = 65536


@dataclass(frozen=True)
class Passage:
    """How a conversation went: "answered", "refused", "closed", "reset" or "silent".

    `seconds` is how long it took, `received` how many bytes came, and `pings_s` how long each
    whole answer took, of the `asked` ones.
    """

    end: str
    seconds: float = 0.0
    received: int = 0
    asked: int = 0
    pings_s: tuple[float, ...] = ()


async def converse(dial: Dial, route: Route, count: int, patience_s: float) -> Passage:
    """Ping `count` times on one connection, each time awaiting the whole answer.

    How long that is may change (etcd tells less of itself while it starts).  Without pings
    the client says that it is done, and waits for the connection to end.
    """
    try:
        sock = await dial()
    except ConnectionRefusedError:
        return Passage("refused", asked=count)
    except TimeoutError:
        return Passage("silent", asked=count)
    began = time.monotonic()
    reader, writer = await asyncio.open_connection(sock=sock)
    received, pings_s = 0, []
    end = "answered" if count else "closed"
    try:
        async with asyncio.timeout(patience_s):
            if not count:
                writer.write_eof()
                while await reader.read(_CHUNK):
                    pass
            for _ in range(count):
                writer.write(route.ping)
                asked, answer = time.monotonic(), b""
                while not route.answer_bytes(answer):
                    data = await reader.read(_CHUNK)
                    if not data or len(answer) > TRAFFIC_BYTES_MAX:
                        raise EOFError
                    answer += data
                    received += len(data)
                pings_s.append(time.monotonic() - asked)
    except TimeoutError:
        end = "silent"
    except EOFError:
        end = "closed"
    except OSError:  # also what comes of writing to a connection that was reset
        end = "reset"
    finally:
        writer.transport.abort()
    return Passage(end, time.monotonic() - began, received, count, tuple(pings_s))


async def answer_length(dial: Dial, route: Route) -> int | None:
    """How long the answer to one ping is, straight from the member; None if it is silent."""
    try:
        sock = await dial()
    except OSError:
        return None
    reader, writer = await asyncio.open_connection(sock=sock)
    data = b""
    try:
        async with asyncio.timeout(PATIENCE_S):
            writer.write(route.ping)
            while not (length := route.answer_bytes(data)):
                more = await reader.read(_CHUNK)
                if not more or len(data) > TRAFFIC_BYTES_MAX:
                    return None
                data += more
            return length
    except (OSError, ValueError):
        return None
    finally:
        writer.transport.abort()


@dataclass(frozen=True)
class Promise:
    """What a toxic, or a proxy that is down, does to every conversation.

    `word` is the state of a proxy that keeps the promise; `kept` judges one passage, given
    how long it must take at least (`least_s`).  `pings` is how many it takes for the promise
    to show.  Both know the attributes and `sides`, the length of a ping or an answer or
    both, for each stream that is troubled; ValueError says why nothing would show.
    """

    word: str
    kept: Callable[[Passage, float, Attributes], bool]
    pings: Pings = lambda _attributes, _sides: 1
    least_s: Callable[[Attributes, Sides, int], float] = lambda _attributes, _sides, _pings: 0.0
    by_silence: bool = False

    def spared(self, passage: Passage, least_s: float, attributes: Attributes) -> bool:
        """Was this conversation certainly not troubled by it?"""
        wanted = "answered" if passage.asked else "closed"
        return passage.end == wanted and not self.kept(passage, least_s, attributes)


def _slow(passage: Passage, least_s: float, _attributes: Attributes) -> bool:
    return passage.end == "answered" and passage.seconds >= least_s


def _varies(passage: Passage, least_s: float, attributes: Attributes) -> bool:
    """Eight draws are all within a twentieth of their range less than once in 10^8 times."""
    taken = passage.pings_s
    return (
        passage.end == "answered"
        and min(taken) >= least_s / len(taken)
        and max(taken) - min(taken) >= attributes["jitter"] / 10e3
    )


def _so_often(times: float, sides: Sides) -> int:
    """This many pings, if that is not too much traffic."""
    if times * sum(sides) > TRAFFIC_BYTES_MAX:
        raise ValueError(
            f"it would take {times * sum(sides):.0f} bytes to show, more than "
            f"{TRAFFIC_BYTES_MAX}; choose stronger attributes"
        )
    return math.ceil(times)


def _bandwidth_s(attributes: Attributes, sides: Sides, pings: int) -> float:
    if not attributes["rate"]:
        raise ValueError("a rate of 0 is a timeout; use that")
    return pings * sum(sides) / (attributes["rate"] * 1000)


def _slicer_s(attributes: Attributes, sides: Sides, pings: int) -> float:
    longest = attributes["average_size"] + attributes["size_variation"]
    delays = sum(math.ceil(side / max(longest, 1)) - 1 for side in sides)
    return pings * delays * attributes["delay"] / 1e6


def _until_it_takes(least_s: Callable[[Attributes, Sides, int], float]) -> Pings:
    """So many pings that they take `PROOF_S`."""

    def pings(attributes: Attributes, sides: Sides) -> int:
        one_s = least_s(attributes, sides, 1)
        if one_s <= 0:
            raise ValueError("messages of a usual size would not be delayed by it")
        return _so_often(PROOF_S / one_s, sides)

    return pings


def _latency_s(attributes: Attributes, sides: Sides, pings: int) -> float:
    least_ms = attributes["latency"] - attributes.get("jitter", 0)
    if least_ms < LATENCY_MS_MIN:
        raise ValueError(f"latency less jitter must be {LATENCY_MS_MIN} ms at least to show")
    return pings * len(sides) * least_ms / 1e3


PROMISES: Final[Mapping[str, Promise]] = {
    "latency": Promise("delayed", _slow, least_s=_latency_s),
    "jitter": Promise("jittery", _varies, lambda *_: JITTER_PINGS, _latency_s),
    "bandwidth": Promise("throttled", _slow, _until_it_takes(_bandwidth_s), _bandwidth_s),
    "slow_close": Promise(
        "lingering",
        lambda passage, least_s, _: passage.end == "closed" and passage.seconds >= least_s,
        lambda *_: 0,
        lambda attributes, sides, _pings: len(sides) * attributes["delay"] / 1e3,
    ),
    "timeout": Promise(
        "swallowing",
        lambda passage, *_: passage.end in ("silent", "closed") and not passage.received,
        by_silence=True,
    ),
    "slicer": Promise("sliced", _slow, _until_it_takes(_slicer_s), _slicer_s),
    "limit_data": Promise(
        "cut short",
        lambda passage, *_: (
            passage.end in ("closed", "reset") and len(passage.pings_s) < passage.asked
        ),
        lambda attributes, sides: _so_often(attributes["bytes"] / min(sides) + 2, sides),
    ),
    "reset_peer": Promise("reset", lambda passage, *_: passage.end == "reset"),
    "down": Promise("refused", lambda passage, *_: passage.end == "refused"),
}


async def passage_state(
    host: Host,
    route: Route,
    promise: Promise,
    attributes: Attributes,
    streams: Sequence[str],
    *,
    struck: bool,
) -> tuple[str, Passage] | None:
    """The word for what conversations through the proxy go through, and the last of them.

    It is the promise's word only if some conversations at once are all troubled as
    promised, and "clear" as soon as one of them certainly is not.  None if the member
    itself is silent (killed, paused, not up yet), so that there is nothing to see.
    """

    async def through() -> socket.socket:
        return await host.dial(host.port(route.public))

    async def straight() -> socket.socket:
        return await host.dial(host.port(route.hidden))

    if promise.word == "refused":  # shows without the member
        passage = await converse(through, route, 0, HUSH_S)
        return (promise.word if passage.end == "refused" else CLEAR), passage
    answer = await answer_length(straight, route)
    if answer is None:
        return None
    lengths = {"upstream": len(route.ping), "downstream": answer}
    sides = [lengths[stream] for stream in streams]
    pings = promise.pings(attributes, sides)
    least_s = LENIENCY * promise.least_s(attributes, sides, pings)
    hush = promise.by_silence and struck
    patience_s = HUSH_S if hush else PATIENCE_S + 2 * least_s + attributes.get("timeout", 0) / 1e3
    state = "unknown"
    for _ in range(TRIES_MAX):
        passages = await asyncio.gather(
            *(converse(through, route, pings, patience_s) for _ in range(AT_ONCE))
        )
        if all(promise.kept(each, least_s, attributes) for each in passages):
            state = promise.word
        elif any(promise.spared(each, least_s, attributes) for each in passages):
            state = CLEAR
        else:
            state = passages[-1].end
        if state == CLEAR or (struck and state == promise.word):
            break
    return state, passages[-1]
