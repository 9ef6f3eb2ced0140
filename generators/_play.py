"""A whole run: set up, load, tear down.

Whatever goes wrong is part of the answer and never an exception: the history is with the
recorder, and somebody wants to judge it.  Only the cancellation of `play` itself is passed
on, after everything has been closed and mended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

from generators._clock import Clock, MonotonicClock
from generators._runner import Runner
from generators._test import EventRecorder, Outcome, Stage, Test
from generators._worker import description
from histories import Event


class SetupFailed(Exception):
    """The clients or the nemesis could not be made ready, so there was no load."""


async def play(
    test: Test,
    recorder: EventRecorder,
    *,
    clock: Clock | None = None,
    on_event: Callable[[Event], object] | None = None,
    stop: asyncio.Event | None = None,
) -> Outcome:
    """Play `test`, recording every step with `recorder`.

    `on_event` is told of every event right after it has been recorded.  When `stop` is set
    (on Ctrl-C, say) the run ends at once: operations under way are cancelled and recorded
    as ``info``, and everything is torn down.  `clock` is the machine's unless given.
    """
    clock = MonotonicClock() if clock is None else clock
    runner = Runner(test, recorder, clock, on_event)
    watch = asyncio.ensure_future(_never() if stop is None else stop.wait())
    began_ns = clock.now()
    error: BaseException | None = None
    stage: Stage | None = None
    try:
        try:
            await _unless(watch, _set_up(test), test.setup_timeout_s)
        except Exception as failure:
            error, stage = failure, "setup"
        else:
            if not watch.done():
                watch.add_done_callback(lambda _: runner.halt("the run was stopped"))
                await runner.run()
                if runner.error is not None:
                    error, stage = runner.error, "load"
    finally:
        stopped = watch.done()
        watch.cancel()
        await runner.close(test.close_timeout_s + 1.0)
        trouble = [*runner.trouble, *await _torn_down(test)]
    return Outcome(
        operations=sum(runner.completions.values()),
        ok=runner.completions["ok"],
        fail=runner.completions["fail"],
        info=runner.completions["info"],
        seconds=(clock.now() - began_ns) / 1e9,
        stopped=stopped,
        error=error,
        stage=stage,
        trouble=tuple(trouble),
    )


async def _never() -> bool:
    await asyncio.get_running_loop().create_future()
    return True


async def _unless(
    watch: asyncio.Future[bool], work: Coroutine[None, None, None], limit_s: float
) -> None:
    """Do `work`, within `limit_s` seconds, unless the run is stopped meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait((task, watch), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        elif not watch.done():
            raise SetupFailed(
                f"the clients and the nemesis were not set up within {limit_s} s; are the nodes "
                "up and reachable?"
            )
    finally:
        task.cancel()
        await asyncio.wait((task,), timeout=1.0)


async def _set_up(test: Test) -> None:
    """Set up the nemesis, then the clients of all nodes at once."""
    if test.nemesis is not None:
        try:
            await test.nemesis.setup()
        except Exception as error:
            raise SetupFailed(f"setting up the nemesis: {description(error)}") from error

    async def set_up(node: str) -> None:
        client = await test.client.open(node)
        try:
            await client.setup()
        finally:
            await client.close()

    ends = await asyncio.gather(*map(set_up, test.nodes), return_exceptions=True)
    failures = [(node, e) for node, e in zip(test.nodes, ends, strict=True) if e is not None]
    if failures:
        told = "; ".join(f"{node}: {description(error)}" for node, error in failures)
        raise SetupFailed(
            f"setting up the clients failed on {told}; are these nodes up and reachable?"
        ) from failures[0][1]


async def _torn_down(test: Test) -> list[str]:
    """Tear down what can be; the answer is what could not.  First of all the nemesis mends."""
    trouble: list[str] = []

    async def attempt(what: str, work: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(test.teardown_timeout_s):
                await work
        except TimeoutError:
            trouble.append(f"{what} did not end within {test.teardown_timeout_s} s")
        except Exception as error:
            trouble.append(f"{what} failed: {description(error)}")

    async def tear_down(node: str) -> None:
        client = await test.client.open(node)
        try:
            await client.teardown()
        finally:
            await client.close()

    if test.nemesis is not None:
        await attempt("the teardown of the nemesis", test.nemesis.teardown())
    await asyncio.gather(
        *(attempt(f"the teardown of the client on {node}", tear_down(node)) for node in test.nodes)
    )
    return trouble
