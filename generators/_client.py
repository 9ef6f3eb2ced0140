"""What the runner asks of those who carry operations out.

A `Client` is a connection of one worker to one node.  The test holds an unopened one;
``open(node)`` makes the real ones from it.  ``invoke(op)`` answers with the completion,
one of ``op.ok(value)``, ``op.fail(error)`` and ``op.info(error)``, or raises: exceptions
that the client declares in `definite` mean that the operation certainly did not happen
and are recorded as ``fail``; of any other nobody can know, and it becomes an ``info``.

After an ``info`` the client is closed and never used again: a late answer on its
connection could be taken for the answer to another question.

A *nemesis* is the client of the nemesis worker; its "node" is the whole cluster.  An
*observer* is no worker: it has no operations to do, and tells what it sees.

`Blocking` makes a client of an ordinary, blocking one.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from histories import Op

T = TypeVar("T")


class Client(Protocol):
    """A way to invoke operations on one node."""

    @property
    def definite(self) -> tuple[type[BaseException], ...]:
        """The exceptions which mean that the operation certainly did not happen."""
        ...

    async def open(self, node: str) -> Client:
        """A client connected to `node`; this one stays as it is."""
        ...

    async def setup(self) -> None:
        """Make what the test needs to be there (a table, say); once per node, before the load."""
        ...

    async def invoke(self, op: Op) -> Op:
        """Carry `op` out and say how it ended."""
        ...

    async def teardown(self) -> None:
        """Undo `setup`; once per node, after the load."""
        ...

    async def close(self) -> None:
        """Give the connection back."""
        ...


class NemesisLike(Protocol):
    """A way to break a cluster, and to mend it."""

    async def setup(self) -> None:
        """Prepare; before the load."""
        ...

    async def invoke(self, op: Op) -> Op:
        """Carry a fault out, or undo it, and say how that ended."""
        ...

    async def teardown(self) -> None:
        """Mend everything that is still broken; after the load, whatever happened."""
        ...


class ObserverLike(Protocol):
    """Somebody who watches the cluster while it is under load."""

    async def watch(self, tell: Callable[[Op], object], now: Callable[[], int]) -> None:
        """Watch until cancelled, and then leave no task behind.

        `tell` records what was seen: an ``ok``, or a ``fail`` where nobody answered.
        `now` is the time of the run, in ns.
        """
        ...


class BlockingClient(Protocol):
    """The methods of a `Client`, blocking."""

    @property
    def definite(self) -> tuple[type[BaseException], ...]: ...
    def open(self, node: str) -> BlockingClient: ...
    def setup(self) -> None: ...
    def invoke(self, op: Op) -> Op: ...
    def teardown(self) -> None: ...
    def close(self) -> None: ...


class Blocking:
    """A `Client` whose work is done by a blocking client, in a thread of its own.

    All calls of one connection come from one thread (save a ``close`` while that thread is
    stuck).  A call that takes too long cannot be stopped: it is abandoned, and its thread,
    a daemon, ends when the call does.
    """

    def __init__(self, client: BlockingClient) -> None:
        self._client = client
        self._lane: _Lane | None = None

    @property
    def definite(self) -> tuple[type[BaseException], ...]:
        """What the blocking client declares."""
        return tuple(getattr(self._client, "definite", ()))

    async def open(self, node: str) -> Blocking:
        """A client connected to `node`, with its own thread."""
        lane = _Lane(f"client of {node}")
        try:
            opened = Blocking(await lane.run(lambda: self._client.open(node)))
        except BaseException:
            lane.end()
            raise
        opened._lane = lane
        return opened

    async def setup(self) -> None:
        """See `Client`."""
        await self._run(self._client.setup)

    async def invoke(self, op: Op) -> Op:
        """See `Client`."""
        return await self._run(lambda: self._client.invoke(op))

    async def teardown(self) -> None:
        """See `Client`."""
        await self._run(self._client.teardown)

    async def close(self) -> None:
        """See `Client`."""
        lane = self._lane
        if lane is None:
            return
        self._lane = None
        if lane.busy:
            lane.end()
            lane = _Lane("closing a stuck client")
        try:
            await lane.run(self._client.close)
        finally:
            lane.end()

    async def _run(self, call: Callable[[], T]) -> T:
        if self._lane is None:
            raise RuntimeError(
                "this client is not open: use what `await client.open(node)` returns"
            )
        return await self._lane.run(call)


class _Lane:
    """One daemon thread that makes one call after the other.

    Invariant: `busy` is true from when a call is handed over until it has returned, also
    when nobody waits for it any more.
    """

    def __init__(self, name: str) -> None:
        self.busy = False
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], Any, Any] | None] = (
            queue.SimpleQueue()
        )
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def run(self, call: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self.busy = True
        self._calls.put((call, loop, answer))
        return await answer

    def end(self) -> None:
        self._calls.put(None)

    def _work(self) -> None:
        while (asked := self._calls.get()) is not None:
            call, loop, answer = asked
            result: Any = None
            error: BaseException | None = None
            try:
                result = call()
            except BaseException as raised:
                # StopIteration cannot be put into a future.
                error = RuntimeError(repr(raised)) if isinstance(raised, StopIteration) else raised
            self.busy = False
            try:
                loop.call_soon_threadsafe(_answer, answer, result, error)
            except RuntimeError:  # the loop is closed: the run is over, nobody waits
                return


def _answer(answer: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if answer.done():
        return  # abandoned
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)
