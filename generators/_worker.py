"""One incarnation of a worker: a process, its client, and the task that waits for answers.

Most of what a runner costs is switching tasks.  So an operation is begun where the runner
stands: its coroutine is stepped once, directly.  If that was all (a client that answers at
once: a fake, a cache, a simulated node) no task has been switched.  Otherwise the
coroutine is handed, as it is, to the worker's own task, which waits for the rest.

For the client the difference must not show.  During that first step the worker's task is
the current task and its context the current context, as `asyncio.timeout`, task groups and
context variables expect; asyncio offers `_enter_task` and `_leave_task` for this (they are
in its documentation, under "Extending").  Whatever the coroutine was waiting for is waited
for, and every exception or cancellation is passed into it.

A worker is *retired* when its process ends: its task is cancelled if it is still at work,
the client is closed, and the runner, which does not wait for any of that, puts a new
worker in its place.
"""

from __future__ import annotations

import asyncio
import contextvars
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final

from generators._client import Client, NemesisLike
from histories import Op, Process

NO_CLIENT: Final = "no-client"


class Worker:
    """Carries out one operation at a time.

    Invariants: `op` is set exactly while an operation is under way; `opening` while that
    operation waits for a connection, which is before anything has been asked of the node;
    `_waiting` while the task, and not the runner, has the operation's coroutine.  A retired
    worker never reports a result and never begins to invoke.
    """

    __slots__ = (
        "_close_timeout_s",
        "_loop",
        "_report",
        "_run",
        "_suspended",
        "_trouble",
        "_unopened",
        "_waiting",
        "_wake",
        "client",
        "deadline_ns",
        "failures",
        "node",
        "op",
        "opening",
        "process",
        "retired",
        "task",
        "thread",
    )

    def __init__(
        self,
        thread: int,
        process: Process,
        node: str | None,
        client: Client | NemesisLike,
        *,
        report: Callable[[Worker, object], None],
        trouble: Callable[[str], None],
        close_timeout_s: float,
        failures: int = 0,
    ) -> None:
        """A worker for `client` on `node`; or, without a node, for a nemesis as it is."""
        self.thread = thread
        self.process = process
        self.node = node
        self.client: Client | NemesisLike | None = client if node is None else None
        self.op: Op | None = None
        self.opening = False
        self.retired = False
        self.failures = failures  # to open a client, in a row
        self.deadline_ns = 0
        self._unopened = client
        self._report = report
        self._trouble = trouble
        self._close_timeout_s = close_timeout_s
        self._loop = asyncio.get_running_loop()
        self._wake: asyncio.Future[None] = self._loop.create_future()
        self._waiting = False
        self._suspended: tuple[Coroutine[Any, Any, Op], Any] | None = None
        context = contextvars.copy_context()
        self._run = context.run
        self.task = self._loop.create_task(
            self._serve(), name=f"worker of {process}", context=context
        )

    def begin(self, op: Op) -> object | None:
        """Begin `op`.  Its completion, if the client answers at once, else None.

        Must be called outside of any task.  What is answered has not been looked at yet.
        """
        self.op = op
        client = self.client
        task = self.task
        _enter_task(self._loop, task)
        try:
            coroutine = self._open_and_invoke(op) if client is None else client.invoke(op)
            yielded = self._run(coroutine.send, None)
        except StopIteration as stop:
            return stop.value if stop.value is not None else _nothing(op)
        except Exception as error:
            return self._completion_for(op, error)
        except asyncio.CancelledError as error:
            return self._completion_for(op, error)
        finally:
            _leave_task(self._loop, task)
        self._suspended = coroutine, yielded
        self._waiting = True
        self._wake.set_result(None)
        return None

    def retire(self) -> None:
        """End this worker: what it is doing is cancelled, its client closed."""
        if self.retired:
            return
        self.retired = True
        if self._waiting:
            self.task.cancel()
        elif not self._wake.done():
            self._wake.set_result(None)

    async def _serve(self) -> None:
        try:
            while not self.retired:
                result = await self._waited_for()
                if not self.retired and self.op is not None:
                    self._report(self, result)
        finally:
            await self._close()

    async def _waited_for(self) -> object:
        """How the next operation that has to be waited for ended; None if retired."""
        cancelled: BaseException | None = None
        try:
            await self._wake
        except asyncio.CancelledError as error:
            # Cancelled between the first step and ours: that is for the operation to know.
            cancelled = error
        if self._suspended is None:
            if cancelled is not None:
                raise cancelled
            return None
        self._wake = self._loop.create_future()
        op, (coroutine, yielded) = self.op, self._suspended
        self._suspended = None
        assert op is not None
        try:
            result: object = await _Rest(coroutine, yielded, cancelled)
        except (Exception, asyncio.CancelledError) as error:
            return self._completion_for(op, error)
        finally:
            self._waiting = False
        return result if result is not None else _nothing(op)

    async def _open_and_invoke(self, op: Op) -> Op:
        assert self.node is not None
        self.opening = True
        try:
            client = await self._unopened.open(self.node)  # type: ignore[union-attr]
        except Exception as error:
            self.opening = False
            self.failures += 1
            return op.fail([NO_CLIENT, description(error)])
        self.client = client
        self.opening = False
        self.failures = 0
        if self.retired:  # it has been recorded that this operation did not happen
            raise asyncio.CancelledError
        return await client.invoke(op)

    def _completion_for(self, op: Op, error: BaseException) -> Op:
        definite = tuple(getattr(self.client, "definite", ()))
        if definite and isinstance(error, definite):
            return op.fail(description(error))
        return op.info(description(error))

    async def _close(self) -> None:
        client = self.client
        if client is None or self.node is None:
            return
        self.client = None
        try:
            async with asyncio.timeout(self._close_timeout_s):
                await client.close()  # type: ignore[attr-defined]
        except TimeoutError:
            self._trouble(
                f"the client of process {self.process} on {self.node} was not closed within "
                f"{self._close_timeout_s} s"
            )
        except (Exception, asyncio.CancelledError) as error:
            self._trouble(
                f"closing the client of process {self.process} on {self.node}: {description(error)}"
            )


class _Rest:
    """What is left of a coroutine after its first step, which has yielded `yielded`."""

    __slots__ = ("_coroutine", "_thrown", "_yielded")

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Op],
        yielded: Any,
        thrown: BaseException | None,
    ) -> None:
        self._coroutine = coroutine
        self._yielded = yielded
        self._thrown = thrown

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, yielded, thrown = self._coroutine, self._yielded, self._thrown
        try:
            while True:
                if thrown is None:
                    try:
                        yield yielded
                        break
                    except BaseException as error:
                        thrown = error
                yielded = coroutine.throw(thrown)
                thrown = None
        except StopIteration as stop:
            return stop.value
        return (yield from coroutine.__await__())


def description(error: BaseException) -> str:
    """An exception in one line, for the `error` of an event."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _nothing(op: Op) -> Op:
    return op.info("the client answered None instead of a completion such as op.ok(value)")
