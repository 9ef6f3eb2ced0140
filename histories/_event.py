"""What happened, one step at a time.

An *operation* is born in a generator, is invoked by a client and completes, or does
not.  `Op` is the operation while it is on its way: what to do (`f`, `key`, `value`) and,
once the client has answered, how it ended.  `Event` is one recorded step of it, and a
history is a list of events and nothing else; faults and observations of the cluster are
events of the same list.

The four types are Jepsen's, on purpose:

- ``invoke``: somebody began the operation,
- ``ok``: it certainly happened; ``value`` is what the client was told,
- ``fail``: it certainly did **not** happen,
- ``info``: nobody knows.  The process is retired; its worker goes on under a new number.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import msgspec

Json: TypeAlias = Any
"""None, bool, int, float, str, and lists and string-keyed dicts of these."""

Process: TypeAlias = int | str
"""A client is a number >= 0; the nemesis and the observer have names."""

EventType: TypeAlias = Literal["invoke", "ok", "fail", "info"]

NEMESIS: Final = "nemesis"
OBSERVER: Final = "observer"


class Op(msgspec.Struct, frozen=True):
    """An operation on its way: an invocation, or its completion as the client reports it.

    A generator may leave `process` and `time` (ns since the run began) open; the runner
    fills them in.
    """

    f: str
    value: Json = None
    key: Json = None
    type: EventType = "invoke"
    process: Process | None = None
    time: int | None = None
    error: Json = None
    node: str | None = None

    def ok(self, value: Json = None) -> Op:
        """This operation happened, and `value` is what the system answered."""
        return Op(self.f, value, self.key, "ok", self.process, self.time, None, self.node)

    def fail(self, error: Json = None) -> Op:
        """This operation certainly did not happen."""
        return Op(self.f, self.value, self.key, "fail", self.process, self.time, error, self.node)

    def info(self, error: Json = None) -> Op:
        """Nobody knows whether this operation happened, or ever will."""
        return Op(self.f, self.value, self.key, "info", self.process, self.time, error, self.node)


class Event(msgspec.Struct, frozen=True):
    """One recorded step, in the field order of the file format.

    `index` is dense and starts at 0; `time` is in nanoseconds since the run began, by the
    monotonic clock of the one machine that drives the test.
    """

    index: int
    time: int
    process: Process
    type: EventType
    f: str
    key: Json = None
    value: Json = None
    error: Json = None
    node: str | None = None
