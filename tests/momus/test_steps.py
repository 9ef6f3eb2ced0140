"""The steps of a run: what breaks it, what does not, and what signals do."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest

from momus._exits import Broken
from momus._interrupt import Interrupts
from momus._steps import CutShort, Steps


def play(scene: Callable[[Steps], Awaitable[object]]) -> Steps:
    """Run `scene` with fresh steps that listen to signals."""

    async def main() -> Steps:
        said: list[str] = []
        steps = Steps(Interrupts(say=said.append))
        with steps.interrupts.listening():
            await scene(steps)
        return steps

    return asyncio.run(main())


async def fails() -> int:
    raise ConnectionRefusedError("n1 refused")


async def answers() -> int:
    return 7


async def hangs() -> None:
    await asyncio.Event().wait()


def test_a_run_that_was_started_by_nohup_outlives_the_terminal() -> None:
    async def hung_up(steps: Steps) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        assert await steps.must("answer", answers(), 5) == 7

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert play(hung_up).interrupts.count == 0
    finally:
        signal.signal(signal.SIGHUP, before)


async def is_signalled() -> bool:
    os.kill(os.getpid(), signal.SIGINT)
    return await asyncio.Event().wait()


def test_a_step_that_must_succeed_breaks_the_run() -> None:
    async def scene(steps: Steps) -> None:
        assert await steps.must("answer", answers(), 5) == 7
        with pytest.raises(Broken, match="could not reach n1: n1 refused"):
            await steps.must("reach n1", fails(), 5)

    assert play(scene).troubles == []


def test_a_step_that_should_succeed_leaves_a_trouble_and_the_run_goes_on() -> None:
    async def scene(steps: Steps) -> None:
        assert await steps.should("answer", answers(), 5) == 7
        assert await steps.should("reach n1", fails(), 5) is None

    assert play(scene).troubles == ["could not reach n1: n1 refused"]


def test_no_step_takes_longer_than_it_may() -> None:
    async def scene(steps: Steps) -> None:
        with pytest.raises(Broken, match=r"could not hang within 0.01 s"):
            await steps.must("hang", hangs(), 0.01)
        await steps.should("hang", hangs(), 0.01)

    assert play(scene).troubles == ["could not hang within 0.01 s"]


def test_the_first_signal_ends_what_has_not_begun_to_matter() -> None:
    async def scene(steps: Steps) -> None:
        with pytest.raises(CutShort):
            await steps.must("set up", is_signalled(), 5)
        assert steps.interrupts.stop.is_set()
        with pytest.raises(CutShort):
            await steps.must("play", answers(), 5)

    assert play(scene).interrupts.count == 1


def test_the_load_is_cancelled_by_the_second_signal_only() -> None:
    async def scene(steps: Steps) -> None:
        async def load() -> str:
            os.kill(os.getpid(), signal.SIGTERM)
            await steps.interrupts.stop.wait()
            return "ended in good order"

        assert await steps.must("play", load(), 5, at_signal=2) == "ended in good order"
        with pytest.raises(CutShort):
            await steps.must("play", is_signalled(), 5, at_signal=2)

    assert play(scene).interrupts.count == 2


def test_healing_is_tried_also_after_signals() -> None:
    async def scene(steps: Steps) -> None:
        with pytest.raises(CutShort):
            await steps.must("set up", is_signalled(), 5)
        assert await steps.should("heal", answers(), 5) == 7
        assert await steps.should("heal", is_signalled(), 5) is None
        assert await steps.should("tear down", answers(), 5) == 7

    assert play(scene).troubles == ["was told not to heal"]
