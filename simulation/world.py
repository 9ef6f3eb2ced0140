"""The `World`: all that the code of a node may know of what is around it.

A node is a coroutine function, its `Program`, called with a world and nothing else:

    async def echo(world: World) -> None:
        world.network.listen(lambda sender, message: world.network.send(sender, message))
        await world.forever()

It is written once.  In the simulated world time is virtual, messages are callbacks and the disk
is a dictionary that forgets; as a real process time is time, messages travel over TCP and the
disk is a folder.  What both promise, and nothing more, is written here.

The rules that keep a simulated run a pure function of its seed: a program asks only its world
for time, randomness, tasks, network and disk; it never depends on the order of a set, on
`hash()` or `id()`; and it does not use threads.  Of asyncio it may use whatever waits between
its own tasks (`sleep`, `timeout`, events, locks, queues), all by the node's own clock; but
`as_completed`, `wait` and task groups, which keep their tasks in sets, only where the order in
which they end or are cancelled does not matter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:  # a real process starts much faster without
    from histories import Json

Receive: TypeAlias = Callable[[str, bytes], object]
"""Told who sent a message, and the message."""


class Timer(Protocol):
    """Something that will be called, unless it is called off."""

    def cancel(self) -> object:
        """Call it off; nothing if it has been called."""
        ...


class Clock(Protocol):
    """The clocks of one node, in seconds."""

    def monotonic(self) -> float:
        """Time since some beginning, another one for every node and start of its machine.

        It never goes back, but it may run too fast or too slow.
        """
        ...

    def wall(self) -> float:
        """What the node holds for the time of day (seconds since 1970).  It may jump, also back."""
        ...

    def later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        """Call back in `delay_s` by the monotonic clock, or later, never earlier."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Come back in `delay_s` by the monotonic clock, or later."""
        ...


class Network(Protocol):
    """Messages between those who have a name: nodes and clients.

    A message arrives whole, or never, or twice, or late; two messages may overtake each other.
    Nobody is told that a message was lost.  To oneself messages arrive, too.
    """

    def listen(self, receive: Receive) -> None:
        """Call `receive` for each message from now on; what came before is dropped."""
        ...

    def send(self, to: str, message: bytes) -> None:
        """Send; returns at once and never fails."""
        ...


class Disk(Protocol):
    """A folder of files with flat names (no "/"), for one node.

    What is written is read back at once; but only what was synced survives a crash of the
    machine.  Of what was not, any part may survive, torn in the middle of a write, too.  A
    crash of the process alone loses nothing that was written.  `sync` covers a file's bytes and
    its existence, `rename` is all or nothing and is synced by `sync` of the new name.

    Every method may raise `OSError`: ENOSPC when the disk is full, EIO when it is broken,
    and `FileNotFoundError`.  An `append` that raises may have written a part, and a `write` may
    have emptied the file.  After an EIO of `sync` it is unknown what is on disk, though all of
    it can be read back, and a later `sync` that succeeds says nothing of what was written
    before it.  Disks turn bits over and put writes in the wrong place: only a checksum tells.
    """

    async def names(self) -> list[str]:
        """The names of all files, sorted."""
        ...

    async def read(self, name: str) -> bytes:
        """All of a file."""
        ...

    async def append(self, name: str, data: bytes) -> None:
        """Write at the end of a file, which is made if it is not there."""
        ...

    async def write(self, name: str, data: bytes) -> None:
        """Make `data` the whole content of a file (not atomic: write another and rename it)."""
        ...

    async def truncate(self, name: str, size: int) -> None:
        """Cut a file to `size` bytes."""
        ...

    async def sync(self, name: str) -> None:
        """Come back when all that was written to this file before survives a crash."""
        ...

    async def rename(self, old: str, new: str) -> None:
        """Give a file another name, replacing what had it."""
        ...

    async def remove(self, name: str) -> None:
        """Remove a file; after a crash it may be there again."""
        ...


class Objects(Protocol):
    """An object store that all nodes share: whole objects by name, durable once stored.

    `OSError` when it is out.  A `put` that raises may have stored the object all the same.
    """

    async def put(self, name: str, data: bytes) -> None: ...
    async def get(self, name: str) -> bytes:
        """The object; `FileNotFoundError` if there is none."""
        ...

    async def names(self, prefix: str = "") -> list[str]: ...
    async def remove(self, name: str) -> None: ...


class World(Protocol):
    """One life of one node, from its start to its death.

    `name` is the node's own name, `nodes` those of all nodes it was started with.  Everything
    it asks of a world after its death has no effect, or never comes back.
    """

    @property
    def name(self) -> str: ...
    @property
    def nodes(self) -> tuple[str, ...]: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def network(self) -> Network: ...
    @property
    def disk(self) -> Disk: ...
    @property
    def objects(self) -> Objects: ...
    @property
    def random(self) -> Random: ...

    def spawn(self, work: Coroutine[Any, Any, None], name: str = "") -> asyncio.Task[None]:
        """Do this besides.  What it raises kills the node, as an unhandled error should."""
        ...

    async def forever(self) -> None:
        """Never come back: the end of a program that lives by callbacks."""
        ...

    def reach(self, point: str) -> None:
        """A crash point, ``"before wal sync"``: here a scenario may let the machine die.

        If it does, this does not come back, and nothing after it happens.
        """
        ...

    def tell(self, event: str, **facts: Json) -> None:
        """Say what the node just did or became; invariants are judged by this.

        It stands in the history as an observation, ``{"event": event, **facts}``.
        """
        ...

    def serve(
        self,
        answer: Callable[[str], Json],
        obey: Callable[[str, dict[str, Any]], Json] | None = None,
    ) -> None:
        """Have the admin surface answer `GET path` by `answer(path)`, in JSON.

        `answer` raises LookupError for a path that it does not know.  It only looks.  `obey` is
        called with the path and the body of a `POST path`, and raises LookupError, too; what it
        refuses it answers with an object that has an ``error``.  Nobody calls it in the
        simulated world, where orders are messages like others.
        """
        ...


Program: TypeAlias = Callable[[World], Awaitable[None]]
"""What a node does; when it comes back the process ends."""
