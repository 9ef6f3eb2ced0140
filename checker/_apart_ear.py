"""The parent's end of the pipe to the process of a model: what it hears, and how it ended."""

from __future__ import annotations

import mmap
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from checker._core import Core
from checker._core_packed import unpacked_core
from checker._found import Found, unpacked
from checker._limits import Limits
from checker._model import Model

LENGTH: Final = struct.Struct("<I")
"""In front of each message: how many bytes it has."""

_POLL_S: Final = 0.5
_TEXT_MAX: Final = 200


@dataclass(frozen=True)
class Stop:
    """Why the process ended before it had told everything."""

    cause: Literal["time", "memory", "harness"]
    sentence: str
    remedy: str


@dataclass
class Heard:
    """What came out of the process: of each key by number, and the cores by invocation.

    `read_only` is what was found out of the model's calls, if it was asked for.
    """

    found: dict[int, Found] = field(default_factory=dict)
    cores: dict[int, Core] = field(default_factory=dict)
    read_only: list[bool] | None = None
    stop: Stop | None = None


@dataclass
class Ear:
    """The parent's end of the pipe."""

    pid: int
    pipe: int
    heard: Heard
    raised: BaseException | None = None
    doing: tuple[str, int, int] | None = None

    def listen(self, deadline: float | None) -> Literal["end", "late", "died", "memory"]:
        """Takes in what is sent, until the child is done, late or dead."""
        buffer = bytearray()
        while True:
            wait = _POLL_S
            if deadline is not None:
                wait = min(wait, deadline - time.perf_counter())
                if wait <= 0:
                    return "late"
            ready, _, _ = select.select([self.pipe], [], [], wait)
            if not ready:
                continue
            data = os.read(self.pipe, 1 << 20)
            if not data:
                return "died"
            buffer += data
            for kind, *rest in _messages(buffer):
                if kind in ("end", "memory"):
                    return "end" if kind == "end" else "memory"
                self._take(kind, rest)

    def _take(self, kind: str, rest: list[Any]) -> None:
        if kind == "found":
            self.heard.found[rest[0]] = unpacked(rest[1])
        elif kind == "core":
            self.heard.cores[rest[0]] = unpacked_core(rest[1])
        elif kind == "read_only":
            self.heard.read_only = rest[0]
        elif kind == "doing":
            self.doing = (rest[0], rest[1], rest[2])
        elif kind == "raised":
            self.raised = _exception(*rest)


def _messages(buffer: bytearray) -> Iterator[list[Any]]:
    """Takes the whole messages out of the buffer."""
    while len(buffer) >= LENGTH.size:
        (length,) = LENGTH.unpack_from(buffer)
        if len(buffer) < LENGTH.size + length:
            return
        message = bytes(buffer[LENGTH.size : LENGTH.size + length])
        del buffer[: LENGTH.size + length]
        yield msgspec.msgpack.decode(message)


def _exception(module: str, name: str, message: str, told: str) -> BaseException:
    """The exception that was raised in the child, of the same class where it has a name."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, type) and issubclass(found, Exception):
        error = found.__new__(found)
        error.args = (message,)
    else:
        error = RuntimeError(f"{name}: {message}")
    error.add_note(f"In the process of the model:\n{told}")
    return error


@dataclass(frozen=True)
class Doing:
    """What the model was doing at last."""

    calls: list[Any]
    marks: mmap.mmap
    told: tuple[str, int, int] | None

    def __str__(self) -> str:
        asked, state, klass = struct.unpack_from("<qqq", self.marks)
        if not asked or not 0 <= klass < len(self.calls):
            return "before its first call"
        call = self.calls[klass]
        answer = f" -> {call.result!r}" if call.completed else " (crashed)"
        shown = f"{call.f} {call.argument!r}{answer}"
        if self.told is not None and self.told[1:] == (state, klass):
            shown += f" in state {self.told[0]}"
        return f"in its call {cut(shown)}"


def stop_of(model: Model, limits: Limits, at: Doing, ended: str, status: int, most: int) -> Stop:
    of_model = f"the model {model.name}"
    if ended == "late":
        return Stop(
            "time",
            f"The time limit of {round(limits.seconds or 0, 2):g} s ran out while {of_model} was "
            f"{at}, which did not return; its process was killed",
            "See why `step` takes so long for this call, or give it more time (--time-limit).",
        )
    allowed = limits.bytes or 0
    aborted = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGABRT
    if ended == "memory" or (aborted and allowed and most > 0.8 * allowed):
        return Stop(
            "memory",
            f"The memory limit of {allowed / 1e6:,.0f} MB was reached by {of_model} {at}",
            "Give it more memory (--memory-limit), or a model with smaller states.",
        )
    how = f"ended with code {os.waitstatus_to_exitcode(status)}"
    if os.WIFSIGNALED(status):
        how = f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return Stop(
        "harness",
        f"The process of {of_model} {how} {at}",
        "Try that call of `step` by itself; without limits the model runs in this process.",
    )


def cut(text: str) -> str:
    return text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}..."
