"""What a run is made of, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol, TypeAlias

from generators._client import Client, NemesisLike, ObserverLike
from generators._protocol import Liftable
from histories import Event, EventType, Json, Process

Stage: TypeAlias = Literal["setup", "load", "teardown"]


@dataclass(frozen=True)
class Test:
    """A run to be played: who does what, where, and how long anything may take.

    Worker ``i`` of the `concurrency` client workers talks to node ``i % len(nodes)``.
    An operation that takes longer than `op_timeout_s` (`nemesis_timeout_s` for the nemesis)
    ends in ``info``.  The `observer` watches from the first operation to the last; what it
    tells is recorded, and the generator hears of it.  The run is broken off when the generator
    keeps everybody waiting for `stall_limit_s` with nothing under way.
    """

    __test__: ClassVar[bool] = False  # not a test case of pytest's

    name: str
    nodes: tuple[str, ...]
    client: Client
    generator: Liftable
    nemesis: NemesisLike | None = None
    observer: ObserverLike | None = None
    concurrency: int = 10
    seed: int = 0
    op_timeout_s: float = 5.0
    nemesis_timeout_s: float = 120.0
    setup_timeout_s: float = 60.0
    teardown_timeout_s: float = 60.0
    close_timeout_s: float = 5.0
    reopen_pause_s: float = 0.1
    reopen_pause_s_max: float = 2.0
    stall_limit_s: float = 120.0
    meta: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.nodes:
            raise ValueError(f"test {self.name!r} has no nodes; give it at least one name")
        if self.concurrency < 1:
            raise ValueError(
                f"test {self.name!r}: concurrency is {self.concurrency}, must be at least 1"
            )


@dataclass(frozen=True)
class Outcome:
    """How a run went.  The history is with the recorder, whatever went wrong.

    `error` is what broke the run, at `stage`; None if it ended by itself or was `stopped`.
    `trouble` are remarks on what went wrong without breaking the run (clients that could
    not be closed, a teardown that failed), in English.
    """

    operations: int = 0
    ok: int = 0
    fail: int = 0
    info: int = 0
    seconds: float = 0.0
    stopped: bool = False
    error: BaseException | None = None
    stage: Stage | None = None
    trouble: tuple[str, ...] = ()


class EventRecorder(Protocol):
    """Where events go; `histories.Recorder` is one."""

    def record(
        self,
        time: int,
        process: Process,
        type: EventType,
        f: str,
        key: Json = None,
        value: Json = None,
        error: Json = None,
        node: str | None = None,
    ) -> Event:
        """Record one step and answer with the event, which has got its index."""
        ...
