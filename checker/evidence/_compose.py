"""Several checkers over one history, none of which can take the others down.

What a checker raises makes its own part of the verdict unknown, and nothing else.  Under a
limit of time or memory each runs in a process of its own, which is forked off, so that
histories and checkers are there already, and killed when its time is over.  It sends back its
verdict as plain data.  Memory is limited by the kernel, counted from what the process had
when it began.  Without limits everything runs in this process, one after the other.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import msgspec
import numpy as np

from checker._apart import forked, reaped
from checker._apart_child import dies_with_its_parent, limit_memory
from checker._verdict import Counterexample, Unknown, Verdict, merge_valid
from checker.evidence._checker import Checker
from histories import History

_POLL_S: Final = 0.5
_MEMORY: Final = b"M"
_RAISED: Final = b"R"
_VERDICT: Final = b"V"


@dataclass(frozen=True)
class Composed:
    """Checkers by the names of their parts; make one with `compose`.

    The limits are of each checker: seconds of wall time, and bytes beyond what there was when
    it began.  So many run at the same time as `jobs` says (default: the cores).
    """

    checkers: Mapping[str, Checker]
    time_limit_s: float | None = None
    memory_limit_bytes: int | None = None
    jobs: int | None = None

    @property
    def name(self) -> str:
        return "compose"

    def check(self, history: History) -> Verdict:
        """The verdict over all: `parts` holds that of each, in the order in which they stand."""
        began = time.perf_counter()
        limited = self.time_limit_s is not None or self.memory_limit_bytes is not None
        if limited and hasattr(os, "fork"):
            _prepare(self.checkers.values(), history)
            found = _Apart(self, history).verdicts()
        else:
            found = {name: safely(one, history) for name, one in self.checkers.items()}
        return merged({name: found[name] for name in self.checkers}, time.perf_counter() - began)


def compose(
    checkers: Mapping[str, Checker],
    *,
    time_limit_s: float | None = None,
    memory_limit_bytes: int | None = None,
    jobs: int | None = None,
) -> Composed:
    """One checker of several, each with its own budget; see `Composed`.

    Raises `ValueError` where there are none, or limits make no sense.
    """
    if not checkers:
        raise ValueError("there is no checker to compose; name at least one")
    if (time_limit_s is not None and time_limit_s <= 0) or (jobs is not None and jobs < 1):
        raise ValueError("time_limit_s is above 0 and jobs at least 1")
    return Composed(dict(checkers), time_limit_s, memory_limit_bytes, jobs)


def merged(parts: Mapping[str, Verdict], seconds: float) -> Verdict:
    """The verdict over parts: invalid if any is, else unknown if any is, else valid."""
    valid = merge_valid(part.valid for part in parts.values())
    unknown = next(
        (
            msgspec.structs.replace(part.unknown, sentence=f"{name}: {part.unknown.sentence}")
            for name, part in parts.items()
            if part.unknown is not None
        ),
        None,
    )
    found: list[Counterexample] = []
    for part in parts.values():
        found += part.counterexamples
    return Verdict(
        valid=valid,
        checker="compose",
        operations=max((part.operations for part in parts.values()), default=0),
        seconds=seconds,
        counterexamples=tuple(found),
        unknown=unknown if valid == "unknown" else None,
        notes=tuple(f"{name}: {note}" for name, part in parts.items() for note in part.notes),
        parts=dict(parts),
    )


def _prepare(checkers: Iterable[Checker], history: History) -> None:
    """Let checkers of ours do once what each of their processes would do again."""
    for checker in checkers:
        prepare = getattr(checker, "prepare", None)
        if prepare is not None:
            with contextlib.suppress(Exception):  # it will say so itself when it judges
                prepare(history)


def safely(checker: Checker, history: History) -> Verdict:
    """What the checker says, or unknown where it raises."""
    began = time.perf_counter()
    try:
        return checker.check(history)
    except MemoryError:
        return _none(checker.name, began, *_out_of_memory(None))
    except Exception as error:  # a checker of the user's own may raise anything
        return _none(checker.name, began, *_raised(f"{type(error).__name__}: {error}"))


def _none(name: str, began: float, cause: Any, sentence: str, remedy: str) -> Verdict:
    seconds = time.perf_counter() - began
    return Verdict("unknown", name, seconds=seconds, unknown=Unknown(cause, sentence, remedy))


def _raised(told: str) -> tuple[str, str, str]:
    return (
        "harness",
        f"The checker failed with {told[:500]}",
        "See whether the operations have the form that this checker asks for (docs/evidence.md).",
    )


def _out_of_memory(limit: int | None) -> tuple[str, str, str]:
    of = f" of {limit / 1e6:,.0f} MB" if limit is not None else ""
    return (
        "memory",
        f"The checker reached the memory limit{of}.",
        "Give it more memory (--memory-limit), or check keys or parts of the history alone.",
    )


@dataclass
class _Running:
    """A checker at work in a process of its own."""

    name: str
    pid: int
    pipe: int
    began: float
    heard: bytearray = field(default_factory=bytearray)


class _Apart:
    """Runs each checker in a process of its own; invariant: what is in `running` is alive."""

    def __init__(self, composed: Composed, history: History) -> None:
        self.composed, self.history = composed, history
        self.running: dict[int, _Running] = {}
        self.found: dict[str, Verdict] = {}

    def verdicts(self) -> dict[str, Verdict]:
        waiting = list(self.composed.checkers)
        jobs = self.composed.jobs or len(os.sched_getaffinity(0))
        try:
            while waiting or self.running:
                while waiting and len(self.running) < jobs:
                    self._start(waiting.pop(0))
                self._listen()
        finally:
            for each in list(self.running.values()):
                self._end(each)
        return self.found

    def _start(self, name: str) -> None:
        ours, theirs = os.pipe()
        pid, blocked = forked()
        if pid == 0:
            _child(
                self.composed.checkers[name],
                self.history,
                theirs,
                self.composed.memory_limit_bytes,
            )
        # Known before an interrupt may come, so that it is killed whatever happens.
        self.running[ours] = _Running(name, pid, ours, time.perf_counter())
        os.close(theirs)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def _listen(self) -> None:
        limit, wait = self.composed.time_limit_s, _POLL_S
        if limit is not None:
            first = min(each.began for each in self.running.values())
            wait = min(wait, max(first + limit - time.perf_counter(), 0.0))
        ready, _, _ = select.select(list(self.running), [], [], wait)
        for pipe in ready:
            each = self.running[pipe]
            data = os.read(pipe, 1 << 20)
            each.heard += data
            if not data:
                status, most = self._end(each)
                self.found[each.name] = self._verdict(each, status, most)
        now = time.perf_counter()
        for each in list(self.running.values()):
            if limit is not None and now - each.began > limit:
                self._end(each)
                self.found[each.name] = self._none(
                    each,
                    "time",
                    f"The time limit of {limit:g} s ran out.",
                    "Give it more time (--time-limit), or check keys or parts of the history.",
                )

    def _end(self, each: _Running) -> tuple[int, int]:
        del self.running[each.pipe]
        os.close(each.pipe)
        return reaped(each.pid)

    def _verdict(self, each: _Running, status: int, most: int) -> Verdict:
        kind, told = bytes(each.heard[:1]), bytes(each.heard[1:])
        if kind == _VERDICT:
            with contextlib.suppress(msgspec.MsgspecError):
                return msgspec.msgpack.decode(told, type=Verdict, dec_hook=_revived)
        if kind == _RAISED:
            return self._none(each, *_raised(told.decode("utf-8", "replace")))
        allowed = self.composed.memory_limit_bytes
        aborted = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGABRT
        if kind == _MEMORY or (aborted and allowed is not None and most > 0.8 * allowed):
            return self._none(each, *_out_of_memory(allowed))
        how = f"ended with code {os.waitstatus_to_exitcode(status)}"
        if os.WIFSIGNALED(status):
            how = f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
        return self._none(
            each,
            "harness",
            f"The process of the checker {how} before it had told its verdict.",
            "Run this checker alone and without limits; then it runs in this process.",
        )

    def _none(self, each: _Running, cause: Any, sentence: str, remedy: str) -> Verdict:
        name = self.composed.checkers[each.name].name
        return _none(name, each.began, cause, sentence, remedy)


def _child(checker: Checker, history: History, pipe: int, memory: int | None) -> NoReturn:
    """The forked process; it never returns into the caller's code."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        dies_with_its_parent()
        limit_memory(memory)
        try:
            found = msgspec.structs.replace(checker.check(history), resumption=None)
            message = _VERDICT + msgspec.msgpack.encode(found, enc_hook=_plain)
        except MemoryError:
            message = _MEMORY
        except BaseException as error:
            message = _RAISED + f"{type(error).__name__}: {error}".encode()
        view = memoryview(message)
        while view:
            view = view[os.write(pipe, view) :]
    finally:
        os._exit(0)


def _plain(value: Any) -> Any:
    """What numpy holds as what msgspec can write."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a verdict cannot hold a {type(value).__name__}")


def _revived(type: Any, value: Any) -> Any:
    """The orders and points of certificates, which are arrays."""
    if "ndarray" in str(type):
        return np.array(value, dtype=np.uint32 if "uint32" in str(type) else np.int64)
    raise NotImplementedError(f"a verdict holds no {type}")
