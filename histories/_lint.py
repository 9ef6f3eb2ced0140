"""Mistakes of whoever recorded a history, told apart from mistakes of the database.

A checker believes the history: a ``fail`` certainly did not happen, a process does one thing
at a time, a completion answers its invocation.  Where a harness breaks these rules, verdicts
are about the harness.  `lint` looks for what no database can have caused, and for the one
thing that either may have: a value that was read though its write is said to have failed.

It judges nothing else: a history without findings may well be invalid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from histories._event import Json
from histories._history import FAIL, INFO, INVOKE, OK, History
from histories._json import canonical
from histories._lint_transactions import changed, failed_but_seen, transactions, written_again

FINDINGS_MAX: Final = 100
"""So many findings of each kind are told."""

WRITES: Final = frozenset({"write", "put", "set", "add", "insert", "enqueue", "push", "cas"})
ELEMENTS: Final = frozenset({"enqueue", "send"})
"""Operations whose elements checkers take to be distinct; of ``add`` so are those of sets."""

_ECHO_SHARE: Final = 0.5
"""An operation answers its argument if at least this share of its completions does."""

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Finding:
    """One mistake: its `kind`, a sentence, and where: an event, and its line if there is one.

    `blame` is ``harness``, or ``harness or database`` where the history alone cannot tell.
    """

    kind: str
    sentence: str
    event: int
    line: int | None = None
    blame: str = "harness"


def lint(history: History, *, distinct: bool = False) -> list[Finding]:
    """What is wrong with a history that could be read, in the order of its events.

    With `distinct` every value must be written once only, as the fast monitors want it.
    """
    found = [
        *_first(_reused(history)),
        *_first(_changed(history)),
        *_first(_written_twice(history, distinct)),
        *_first(_failed_but_read(history)),
    ]
    return sorted(found, key=lambda finding: finding.event)


def _first(findings: Iterable[Finding]) -> Iterator[Finding]:
    for number, finding in enumerate(findings):
        if number == FINDINGS_MAX:
            return
        yield finding


def _reused(history: History) -> Iterator[Finding]:
    """Processes that go on after an ``info``: nobody knows whether they still do the old thing."""
    client = np.flatnonzero(history.process >= 0)
    order = client[np.argsort(history.process[client], kind="stable")]
    process, kind = history.process[order], history.type[order]
    again = (process[1:] == process[:-1]) & (kind[:-1] == INFO) & (kind[1:] == INVOKE)
    for place in np.sort(order[1:][again]).tolist():
        yield _finding(
            history,
            "reused-after-info",
            f"process {int(history.process[place])} invokes {_f(history, place)} though an "
            "earlier operation of it ended in info, and may still be going on; the worker has "
            "to go on under a new number",
            place,
        )


def _changed(history: History) -> Iterator[Finding]:
    """Completions with other arguments than the invocation's, where that is not the custom."""
    client = np.flatnonzero((history.process >= 0) & (history.type != INVOKE))
    done = client[history.pairs[client] >= 0]
    given, answered = history.value[history.pairs[done]], history.value[done]
    asked = (given >= 0) & (answered >= 0)
    done, given, answered = done[asked], given[asked], answered[asked]
    f, same = history.f[done], given == answered
    size = len(history.f_names)
    share = np.bincount(f[same], minlength=size) / np.maximum(np.bincount(f, minlength=size), 1)
    truths = [code for code in _truths(history) if code is not None]
    strange = ~same & ~np.isin(answered, truths)
    # Transactions answer what they read, and repeat the rest.
    places = np.flatnonzero(strange & transactions(history)[f])
    steps, other = changed(
        history, given[places].astype(np.int64), answered[places].astype(np.int64)
    )
    strange &= (share >= _ECHO_SHARE)[f]
    strange[places[steps]] = other[steps]
    for place in done[strange].tolist():
        invoked = int(history.pairs[place])
        yield _finding(
            history,
            "changed-arguments",
            f"process {int(history.process[place])} completes {_f(history, place)} with "
            f"{_value(history, place)}, but was asked for {_value(history, invoked)}; a "
            "completion repeats the arguments",
            place,
        )


def _written_twice(history: History, distinct: bool) -> Iterator[Finding]:
    """Elements that two operations put in, where whoever judges takes them to be distinct."""
    names = set(WRITES - {"cas"} | ELEMENTS) if distinct else set(ELEMENTS)
    if _reads_lists(history):
        names.add("add")
    chosen = np.array([name in names for name in history.f_names], dtype=bool)
    invoked = np.flatnonzero((history.process >= 0) & (history.type == INVOKE))
    invoked = invoked[chosen[history.f[invoked]] & (history.value[invoked] >= 0)]
    invoked = invoked[_outcome(history, invoked) != FAIL]
    what = _element(history, invoked)
    _, first, which = np.unique(what, return_index=True, return_inverse=True)
    for event, before, key, value in written_again(history, distinct):
        yield _finding(
            history,
            "written-twice",
            f"process {int(history.process[event])} writes {_json(value)} to key {_json(key)}, "
            f"which was done before ({_where(history, before)}); elements have to be distinct "
            "for what is lost or duplicated to be told",
            event,
        )
    again = np.flatnonzero(first[which] != np.arange(len(which)))
    for place in again.tolist():
        event, earlier = int(invoked[place]), int(invoked[first[which[place]]])
        yield _finding(
            history,
            "written-twice",
            f"process {int(history.process[event])} invokes {_f(history, event)} of "
            f"{_value(history, event)}, which was written before ({_where(history, earlier)}); "
            "elements have to be distinct for what is lost or duplicated to be told",
            event,
        )


def _failed_but_read(history: History) -> Iterator[Finding]:
    """Values that nobody wrote but an operation that is said not to have happened."""
    chosen = np.array([name in WRITES for name in history.f_names], dtype=bool)
    invoked = np.flatnonzero((history.process >= 0) & (history.type == INVOKE))
    writes = invoked[chosen[history.f[invoked]] & (history.value[invoked] >= 0)]
    failed = _outcome(history, writes) == FAIL
    for event, vain, of, told in failed_but_seen(history):
        end = int(history.pairs[vain])
        yield _finding(
            history,
            "failed-but-read",
            f"process {int(history.process[event])} was told {_json(told)} of key {_json(of)}, "
            f"though its only writer failed ({_where(history, end)}); either the client calls "
            "failed what it cannot know (info is for that), or the database shows what it refused",
            event,
            "harness or database",
        )
    if not failed.any():
        return
    wanted: dict[tuple[int, bytes], int] = {}
    for place in writes[failed].tolist():
        wanted.setdefault((int(history.key[place]), _written(history, place)), place)
    texts = {text for _, text in wanted}
    initial = canonical(history.meta.get("initial"))
    # Codes tell at once what most others wrote, and which answers are worth a look.
    codes = {text: history.values.code_of(text) for text in texts}
    known = np.array([code for code in codes.values() if code is not None], dtype=np.int64)
    others = writes[~failed]
    cas = np.array([name == "cas" for name in history.f_names], dtype=bool)[history.f[others]]
    others = others[cas | np.isin(history.value[others], known)]
    for place in others.tolist():
        wanted.pop((int(history.key[place]), _written(history, place)), None)
    reads = invoked[(history.value[invoked] < 0) & (_outcome(history, invoked) == OK)]
    answers = np.sort(history.pairs[reads])
    answers = answers[history.value[answers] >= 0]
    first = history.values.offsets[history.value[answers]]
    lists = np.frombuffer(history.values.data, dtype=np.uint8)[first] == ord("[")
    answers = answers[lists | np.isin(history.value[answers], known)]
    shown: dict[int, frozenset[bytes]] = {}
    seen: set[tuple[int, bytes]] = set()
    for answer in answers.tolist():
        code, key = int(history.value[answer]), int(history.key[answer])
        if code not in shown:
            shown[code] = frozenset(texts.intersection(_told(history, code)))
        for text in sorted(shown[code]):
            write = wanted.get((key, text))
            if write is None or text == initial or (key, text) in seen:
                continue
            seen.add((key, text))
            if answer < write:  # it was there before anybody tried to write it
                continue
            end = int(history.pairs[write])
            yield _finding(
                history,
                "failed-but-read",
                f"process {int(history.process[answer])} was told {text.decode()} by "
                f"{_f(history, answer)}, though its only writer failed "
                f"({_where(history, end)}); either the client calls failed what it cannot know "
                "(info is for that), or the database shows what it refused",
                answer,
                "harness or database",
            )


def _told(history: History, code: int) -> Iterator[bytes]:
    """A value that was read, and the elements of it if it is a list."""
    yield history.values[code]
    if history.values[code].startswith(b"["):
        for element in history.value_of(code):
            yield canonical(element)


def _written(history: History, place: int) -> bytes:
    """What a write would leave behind, as canonical JSON."""
    code = int(history.value[place])
    if history.f_names[history.f[place]] != "cas":
        return history.values[code]
    pair = history.value_of(code)
    return canonical(pair[1]) if isinstance(pair, list) and len(pair) == 2 else b""


def _outcome(history: History, invoked: Positions) -> npt.NDArray[np.uint8]:
    """How the operations ended: OK, FAIL, or INFO, also for what never ended."""
    done = history.pairs[invoked]
    return np.where(done >= 0, history.type[done], INFO).astype(np.uint8)


def _element(history: History, places: Positions) -> Positions:
    """One number for each key and value."""
    width = len(history.values) + 1
    return (history.key[places].astype(np.int64) + 1) * width + history.value[places]


def _reads_lists(history: History) -> bool:
    """Whether the first ``read`` that was answered has a list: then adds are those of a set."""
    for f in (code for code, name in enumerate(history.f_names) if name == "read"):
        where = (history.process >= 0) & (history.type == OK) & (history.f == f)
        where &= history.value >= 0
        if where.any():
            return history.values[int(history.value[int(where.argmax())])].startswith(b"[")
    return False


def _truths(history: History) -> tuple[int | None, int | None]:
    """The codes of true and false, which are answers rather than arguments."""
    return history.values.code_of(b"true"), history.values.code_of(b"false")


def _f(history: History, place: int) -> str:
    return history.f_names[int(history.f[place])]


def _value(history: History, place: int) -> str:
    return shown(history.values[int(history.value[place])].decode())


def shown(text: str) -> str:
    """A text of bounded length."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def _json(value: Json) -> str:
    return shown(canonical(value).decode())


def _where(history: History, place: int) -> str:
    line = history.line(place)
    return f"event {place}" if line is None else f"line {line}"


def _finding(
    history: History, kind: str, sentence: str, place: int, blame: str = "harness"
) -> Finding:
    return Finding(kind, sentence, int(history.index[place]), history.line(place), blame)
