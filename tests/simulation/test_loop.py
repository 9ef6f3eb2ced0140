"""Virtual time: nobody waits, and what happens happens in the order that it should."""

import asyncio

import pytest

from simulation import Deadlock, Standstill, run


def test_a_day_passes_at_once() -> None:
    async def wait() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    assert run(wait()) == 86_400


def test_what_is_due_at_the_same_time_runs_in_the_order_it_was_asked_for() -> None:
    seen: list[int] = []

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        for i in range(100):
            loop.call_later(1 + i % 3, seen.append, i)
        await asyncio.sleep(5)

    run(ask())
    assert seen == [i for due in range(3) for i in range(100) if i % 3 == due]


def test_a_timer_that_is_called_off_never_rings_and_does_not_move_time() -> None:
    async def call_off() -> float:
        loop = asyncio.get_running_loop()
        loop.call_later(100, pytest.fail, "it rang").cancel()
        await asyncio.sleep(1)
        return loop.time()

    assert run(call_off()) == 1


def test_a_timeout_ends_a_wait() -> None:
    async def wait() -> None:
        async with asyncio.timeout(5):
            await asyncio.get_running_loop().create_future()

    with pytest.raises(TimeoutError):
        run(wait())


def test_waiting_for_nothing_is_an_error() -> None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock):
        run(wait())


def test_going_round_without_waiting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulation._loop.STEPS_MAX", 1000)

    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Standstill, match="time does not go on"):
        run(spin())
