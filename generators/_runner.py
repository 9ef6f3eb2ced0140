"""The scheduler: asks the generator what to do next, hands it to workers, records all of it.

There is one loop, `_pump`, and it runs outside of any task, as a callback of the event
loop.  It asks the generator until there is nothing to do *now*, and is called again when a
worker becomes free, when the next operation is due, or when a generator that is waiting
should be asked again.  After a slice of operations it lets the event loop see to
everything else, so that answers are never kept waiting for long.

The order of things is what makes a history trustworthy:

- the invocation is recorded before the client hears of it, the completion right after the
  client has answered, before anything else is done;
- times come from one clock and are strictly increasing;
- a completion that nobody can vouch for is an ``info``, and the process is never heard of
  again: whatever its client answers later is dropped;
- what the generator sees, and what is recorded, is the same `Event`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from generators._client import Client, NemesisLike
from generators._clock import Alarm, Clock, Handle
from generators._context import Context, opening_context
from generators._lifting import lift
from generators._protocol import PENDING, SLEEP, Generator, GeneratorError, is_deaf
from generators._test import EventRecorder, Test
from generators._validation import problem_with
from generators._worker import NO_CLIENT, Worker, description
from histories import OBSERVER, Event, EventType, Op

_log = logging.getLogger("momus.run")

SLICE_OPERATIONS_MAX: Final = 64
SLICE_NS_MAX: Final = 1_000_000
PENDING_POLL_S: Final = 0.005
SWEEP_SHARE: Final = 50
SWEEP_LATE_NS: Final = 10_000


class Runner:
    """One load, from its first operation to its last.

    Invariants: thread ``t`` is free (bit ``t`` of `_free`) exactly if its worker has no
    operation, is not asleep and does not pause; everything recorded has a later time than
    everything recorded before; once `_over`, nothing is begun any more.
    """

    def __init__(
        self,
        test: Test,
        recorder: EventRecorder,
        clock: Clock,
        on_event: Callable[[Event], object] | None,
    ) -> None:
        self.error: BaseException | None = None
        self.completions: dict[EventType, int] = {"ok": 0, "fail": 0, "info": 0}
        self.trouble: list[str] = []
        self._test = test
        self._record = recorder.record
        self._clock = clock
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._gen: Generator | None = None
        ctx = opening_context(
            test.concurrency,
            seed=test.seed,
            nemesis=test.nemesis is not None,
            meta={
                **test.meta,
                "name": test.name,
                "nodes": list(test.nodes),
                "seed": test.seed,
            },
        )
        self._random = ctx.random
        self._meta = ctx.meta
        self._concurrency = test.concurrency
        self._threads = ctx.threads
        self._free = ctx.free
        self._processes = ctx.processes
        self._workers: list[Worker] = []
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._watching: asyncio.Task[None] | None = None
        self._naps: dict[int, Handle] = {}
        self._began_ns = 0
        self._last_ns = -1
        self._stalled_since_ns: int | None = None
        self._pump_due = False
        self._pump_alarm = Alarm(clock, self._pump_soon)
        self._sweep_alarm = Alarm(clock, self._sweep)
        self._over = False
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._op_timeout_ns = round(test.op_timeout_s * 1e9)
        self._nemesis_timeout_ns = round(test.nemesis_timeout_s * 1e9)

    # -- from the outside ----------------------------------------------------------------

    async def run(self) -> None:
        """Play the generator until it is exhausted, breaks, or is halted."""
        try:
            self._gen = lift(self._test.generator)
        except Exception as error:
            self.error = error
            return
        self._began_ns = self._clock.now()
        for thread in range(self._concurrency):
            self._workers.append(self._worker(thread))
        if self._test.nemesis is not None:
            self._workers.append(self._worker(self._concurrency))
        if self._test.observer is not None:
            watching = self._test.observer.watch(self._observed, self._now)
            self._watching = self._loop.create_task(watching)
            self._watching.add_done_callback(self._watched)
        self._pump_soon()
        try:
            await self._done
        finally:
            self.halt("the run was cancelled")

    def halt(self, why: str) -> None:
        """End the load now: operations under way are cancelled and end in ``info``."""
        if self._over:
            return
        self._over = True
        self._call_off()
        for worker in self._workers:
            op = worker.op
            if op is not None:
                try:
                    self._note(worker, op.info(why), op)
                except Exception as error:  # the recorder itself may be what broke
                    self.trouble.append(f"recording the end of {op}: {error}")
            worker.retire()
        if not self._done.done():
            self._done.set_result(None)

    async def close(self, timeout_s: float) -> None:
        """Wait until all clients are closed, at most `timeout_s` seconds."""
        for worker in self._workers:
            worker.retire()
        tasks = list(self._tasks)
        if self._watching is not None:
            tasks.append(self._watching)  # called off when the load ended
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=timeout_s)
        for task in tasks:
            if task in late:  # in an order that is the same in every run
                task.cancel()
        if late:
            self.trouble.append(
                f"{len(late)} workers did not end within {timeout_s} s; their clients are lost"
            )

    # -- asking the generator ------------------------------------------------------------

    def _pump_soon(self) -> None:
        if not self._pump_due and not self._over:
            self._pump_due = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_due = False
        try:
            self._pump_slice()
        except Exception as error:
            self._break(error)

    def _pump_slice(self) -> None:
        # Every operation of a run passes here, so what is needed often is a local, and what
        # is rare is elsewhere.
        now_ns, began_ns, record = self._clock.now, self._began_ns, self._record
        threads, concurrency, workers = self._threads, self._concurrency, self._workers
        chance, meta = self._random, self._meta
        slice_end_ns = now_ns() - began_ns + SLICE_NS_MAX
        for _ in range(SLICE_OPERATIONS_MAX):
            free = self._free
            if self._over or not free:
                return
            now = now_ns() - began_ns
            if now <= self._last_ns:
                now = self._last_ns + 1
            processes = self._processes
            ctx = Context(now, free, threads, processes, chance, concurrency, meta)
            gen = self._gen
            try:
                emitted = None if gen is None else gen.op(ctx)
            except GeneratorError:
                raise
            except Exception as error:
                raise GeneratorError(
                    f"the generator raised {description(error)} when asked what to do next, "
                    f"{now / 1e9:.3f} s into the run; try it with generators.simulate()"
                ) from error
            if emitted is None:
                self._gen = None
                if free == threads:
                    self._finish()
                return
            op, following = emitted
            if op is PENDING:
                self._gen = following
                self._wait_pending(now)
                return
            if op.time is not None and op.time > now:
                self._wake_at(op.time)
                return
            self._stalled_since_ns = None
            process = op.process
            thread = process % concurrency if type(process) is int else concurrency
            if not free >> thread & 1 or processes[thread] != process or op.type != "invoke":
                self._instruct(op, following, ctx)
                continue

            worker = workers[thread]
            event = record(now, process, "invoke", op.f, op.key, op.value, None, worker.node)
            self._last_ns = now
            self._free = free ^ 1 << thread
            if following is not None and not is_deaf(following):
                following = _told(following, ctx.busy(now, thread), event)
            self._gen = following
            if self._on_event is not None:
                self._tell(event)
            result = worker.begin(op)
            if result is None:
                self._watch(worker, now)
            else:
                self._complete(worker, result)
            if now > slice_end_ns:
                break
        self._pump_soon()

    def _instruct(self, op: Op, following: Generator | None, ctx: Context) -> None:
        """`sleep` and `log` are for the worker itself, and no part of the history.

        Also finds out what is wrong with an operation that cannot be carried out.
        """
        problem = problem_with(op, ctx)
        if problem is not None:
            raise GeneratorError(f"{problem}: {op!r}")
        assert op.process is not None
        self._gen = following
        thread = ctx.thread_of(op.process)
        if op.f == SLEEP:
            self._free &= ~(1 << thread)
            self._nap(thread, float(op.value))
        else:
            _log.info("%s", op.value)

    # -- ends of operations --------------------------------------------------------------

    def _reported(self, worker: Worker, result: object) -> None:
        """A worker's task has an answer."""
        if self._over:
            return
        try:
            self._complete(worker, result)
        except Exception as error:
            self._break(error)
        self._pump_soon()

    def _complete(self, worker: Worker, result: object) -> None:
        """Record how the operation of `worker` ended, and tell the generator."""
        op, thread = worker.op, worker.thread
        assert op is not None
        if type(result) is not Op or result.type == "invoke":
            result = op.info(f"the client answered {result!r:.200}, which is not a completion")
        event = self._note(worker, result, op)
        if event.type != "ok" and thread < self._concurrency:
            self._after_failure(worker, event)
        else:
            self._free |= 1 << thread
        gen = self._gen
        if gen is not None and not is_deaf(gen):
            ctx = Context(
                event.time,
                self._free,
                self._threads,
                self._processes,
                self._random,
                self._concurrency,
                self._meta,
            )
            self._gen = _told(gen, ctx, event)

    def _note(self, worker: Worker, completion: Op, op: Op) -> Event:
        """Record how `op` ended; its worker has nothing to do any more."""
        now = self._clock.now() - self._began_ns
        if now <= self._last_ns:
            now = self._last_ns + 1
        process, node = worker.process, worker.node
        kind, value, error = completion.type, completion.value, completion.error
        try:
            event = self._record(now, process, kind, op.f, op.key, value, error, node)
        except Exception as refused:
            # What the client answered cannot be recorded (it is not JSON, say); that it is
            # not known how the operation ended can.  If not even that, the recorder failed.
            doubt = f"the client's answer cannot be recorded: {description(refused)}"
            event = self._record(now, process, "info", op.f, op.key, None, doubt, node)
        self._last_ns = now
        worker.op = None
        if worker.thread < self._concurrency:
            self.completions[event.type] += 1
        if self._on_event is not None:
            self._tell(event)
        return event

    def _after_failure(self, worker: Worker, event: Event) -> None:
        """A new process after an ``info``; a pause after a client that did not open."""
        thread = worker.thread
        if event.type == "info":
            processes = self._processes
            process = worker.process
            assert isinstance(process, int)
            process += self._concurrency
            self._processes = (*processes[:thread], process, *processes[thread + 1 :])
            self._replace(worker)
        if worker.failures > 0:
            self._nap(thread, self._pause_s(worker.failures))
        else:
            self._free |= 1 << thread

    def _replace(self, worker: Worker) -> None:
        """A fresh worker for a thread whose old one is not to be trusted any more."""
        worker.retire()
        self._workers[worker.thread] = self._worker(worker.thread, worker.failures)

    def _worker(self, thread: int, failures: int = 0) -> Worker:
        test = self._test
        node: str | None = None
        client: Client | NemesisLike = test.client
        if thread == self._concurrency:
            assert test.nemesis is not None
            client = test.nemesis
        else:
            node = test.nodes[thread % len(test.nodes)]
        worker = Worker(
            thread,
            self._processes[thread],
            node,
            client,
            report=self._reported,
            trouble=self.trouble.append,
            close_timeout_s=test.close_timeout_s,
            failures=failures,
        )
        self._tasks[worker.task] = None
        worker.task.add_done_callback(self._gone)
        return worker

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._break(error)

    # -- observations --------------------------------------------------------------------

    def _observed(self, op: Op) -> None:
        """Record what the observer saw, and tell the generator, who may have waited for it."""
        if self._over or self._watching is None:
            return
        record = self._record
        now = max(self._now(), self._last_ns + 1)
        try:
            event = record(now, OBSERVER, op.type, op.f, op.key, op.value, op.error, op.node)
        except Exception as refused:  # it is not JSON, say, and the next one will not be either
            self.trouble.append(
                f"an observation cannot be recorded, so the observer is called off: "
                f"{description(refused)}"
            )
            self._watching.cancel()
            return
        self._last_ns = now
        if self._on_event is not None:
            self._tell(event)
        gen = self._gen
        if gen is not None and not is_deaf(gen):
            ctx = Context(
                now,
                self._free,
                self._threads,
                self._processes,
                self._random,
                self._concurrency,
                self._meta,
            )
            try:
                self._gen = _told(gen, ctx, event)
            except GeneratorError as error:
                self._break(error)
        self._pump_soon()

    def _watched(self, watching: asyncio.Task[None]) -> None:
        if watching.cancelled():
            return
        error = watching.exception()
        why = "it ended" if error is None else description(error)
        self.trouble.append(f"the observer left before the end of the run: {why}")

    def _now(self) -> int:
        return self._clock.now() - self._began_ns

    # -- time ----------------------------------------------------------------------------

    def _wake_at(self, time_ns: int) -> None:
        """Ask the generator again at `time_ns`."""
        self._pump_alarm.by(time_ns, time_ns - (self._clock.now() - self._began_ns))

    def _wait_pending(self, now: int) -> None:
        if self._free == self._threads:
            since = self._stalled_since_ns
            if since is None:
                self._stalled_since_ns = now
            elif now - since > self._test.stall_limit_s * 1e9:
                raise GeneratorError(
                    f"the generator has kept everybody waiting for {self._test.stall_limit_s} s "
                    "with nothing under way; does it wait for an operation that nobody does?"
                )
        self._wake_at(now + round(PENDING_POLL_S * 1e9))

    def _nap(self, thread: int, seconds: float) -> None:
        def rested() -> None:
            del self._naps[thread]
            self._free |= 1 << thread
            self._pump_soon()

        self._naps[thread] = self._clock.call_later(seconds, rested)

    def _pause_s(self, failures: int) -> float:
        test = self._test
        return min(test.reopen_pause_s * 2.0 ** min(failures - 1, 30), test.reopen_pause_s_max)

    def _watch(self, worker: Worker, now: int) -> None:
        """See that `worker` answers in time.

        One alarm serves all workers: it rings at the earliest deadline there was when it
        was set, and is set again.  So an operation that ends in time costs nothing.
        """
        client = worker.thread < self._concurrency
        worker.deadline_ns = now + (self._op_timeout_ns if client else self._nemesis_timeout_ns)
        self._sweep_by(worker.deadline_ns, now)

    def _sweep_by(self, time_ns: int, now: int) -> None:
        # A little after, for recorded times may be ahead of the clock by some nanoseconds.
        self._sweep_alarm.by(time_ns, time_ns - now + SWEEP_LATE_NS)

    def _sweep(self) -> None:
        now = self._clock.now() - self._began_ns
        try:
            for worker in list(self._workers):
                if worker.op is not None and worker.deadline_ns <= now:
                    self._expire(worker)
        except Exception as error:
            self._break(error)
        self._pump_soon()
        deadlines = [worker.deadline_ns for worker in self._workers if worker.op is not None]
        if deadlines and not self._over:
            spacing = min(self._op_timeout_ns, self._nemesis_timeout_ns) // SWEEP_SHARE
            self._sweep_by(max(min(deadlines), now + spacing), now)

    def _expire(self, worker: Worker) -> None:
        op = worker.op
        assert op is not None
        client = worker.thread < self._concurrency
        limit_s = self._test.op_timeout_s if client else self._test.nemesis_timeout_s
        late = f"no answer within {limit_s} s"
        if worker.opening:
            worker.failures += 1
            self._replace(worker)
            self._complete(worker, op.fail([NO_CLIENT, late]))
        else:
            if not client:
                self._replace(worker)
            self._complete(worker, op.info(late))

    # -- the end -------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        assert self._on_event is not None
        try:
            self._on_event(event)
        except Exception as error:
            self._on_event = None
            self.trouble.append(f"whoever watches the run failed and is told no more: {error!r}")

    def _finish(self) -> None:
        self._over = True
        self._call_off()
        if not self._done.done():
            self._done.set_result(None)

    def _call_off(self) -> None:
        for alarm in (self._pump_alarm, self._sweep_alarm, *self._naps.values()):
            alarm.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _break(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error
        self.halt("the run was broken off")


def _told(gen: Generator, ctx: Context, event: Event) -> Generator:
    try:
        return gen.update(ctx, event)
    except Exception as error:
        raise GeneratorError(
            f"the generator raised {description(error)} when told of {event!r:.300}; "
            "try it with generators.simulate()"
        ) from error
