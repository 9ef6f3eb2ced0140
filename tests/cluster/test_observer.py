"""The observer, in virtual time: what it tells of nodes that answer, hang, or are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from cluster import HostError, Observer
from histories import Op

HOSTS: Any = [SimpleNamespace(name=name) for name in ("n1", "n2", "n3")]


class Telling:
    """n1 answers at once, n2 hangs, n3 is gone."""

    def __init__(self) -> None:
        self.asking: dict[str, int] = dict.fromkeys(("n1", "n2", "n3"), 0)
        self.asking_max = 0

    async def observe(self, host: Any) -> dict[str, Any]:
        self.asking[host.name] += 1
        self.asking_max = max(self.asking_max, *self.asking.values())
        try:
            if host.name == "n2":
                await asyncio.sleep(1000)
            if host.name == "n3":
                raise HostError("n3", "it is gone", "look for it")
            return {"role": "leader", "term": 7}
        finally:
            self.asking[host.name] -= 1


def watched(
    virtually: Callable[[Coroutine[Any, Any, Any]], Any],
    system: Any,
    seconds: float,
    rate_hz: float = 2.0,
) -> list[tuple[float, Op]]:
    """What an observer tells within so many seconds, and when."""
    told: list[tuple[float, Op]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        observer = Observer(system, HOSTS, rate_hz)
        watch = asyncio.ensure_future(
            observer.watch(
                lambda op: told.append((loop.time(), op)), lambda: round(loop.time() * 1e9)
            )
        )
        await asyncio.sleep(seconds)
        watch.cancel()
        await asyncio.wait([watch])
        assert len(asyncio.all_tasks()) == 1, "nothing is left behind"

    virtually(main())
    return told


def of(told: list[tuple[float, Op]], node: str) -> list[tuple[float, Op]]:
    return [(time, op) for time, op in told if op.node == node]


def test_a_node_that_answers_is_asked_at_the_rate(virtually: Any) -> None:
    mine = of(watched(virtually, Telling(), 1.9), "n1")
    assert [time for time, _ in mine] == [0, 0.5, 1.0, 1.5]
    first = mine[0][1]
    assert (first.process, first.type, first.f) == ("observer", "ok", "observe")
    assert first.value == {"role": "leader", "term": 7, "asked": 0}
    assert mine[1][1].value["asked"] == 500_000_000


def test_a_node_that_hangs_is_recorded_so_and_its_missed_rounds_are_counted(
    virtually: Any,
) -> None:
    system = Telling()
    mine = of(watched(virtually, system, 3.4), "n2")
    assert [op.error for _, op in mine] == ["no answer within 1 s"] * len(mine)
    assert len(mine) >= 2
    assert mine[0][1].value == {"asked": 0, "missed": 1}
    assert system.asking_max == 1, "it is asked by one question at a time"


def test_a_node_that_hangs_does_not_keep_others_from_being_asked(virtually: Any) -> None:
    assert len(of(watched(virtually, Telling(), 9.9), "n1")) == 20


def test_a_node_that_is_gone_is_recorded_so(virtually: Any) -> None:
    [(_, first), *_] = of(watched(virtually, Telling(), 0.9), "n3")
    assert (first.type, first.value) == ("fail", {"asked": 0})
    assert first.error == "HostError: n3: it is gone; look for it"


def test_an_answer_that_cannot_be_read_is_no_answer(virtually: Any) -> None:
    class Odd:
        async def observe(self, host: Any) -> dict[str, Any]:
            return {"role": {}[host.name]}

    told = watched(virtually, Odd(), 0.1)
    assert [op.error for _, op in told] == [f"KeyError: 'n{i}'" for i in (1, 2, 3)]


@pytest.mark.parametrize("rate_hz", [0, -1, 1000, float("nan")])
def test_rates_that_make_no_sense_are_refused(rate_hz: float) -> None:
    with pytest.raises(ValueError, match="asks more than 0"):
        Observer(Telling(), HOSTS, rate_hz)


class Talkative:
    """Tells two things, and then what state it is in; n3 tells them and is gone."""

    async def news(self, host: Any) -> list[dict[str, Any]]:
        return [{"event": "role", "role": "leader"}, {"event": "wrote", "by": host.name}]

    async def observe(self, host: Any) -> dict[str, Any]:
        if host.name == "n3":
            raise HostError("n3", "it is gone", "look for it")
        return {"role": "leader"}


def test_what_a_node_told_comes_before_the_state_it_led_to(
    virtually: Callable[[Coroutine[Any, Any, Any]], Any],
) -> None:
    told = [op for _, op in watched(virtually, Talkative(), 0.1)]
    for node, last in (("n1", "ok"), ("n3", "fail")):
        mine = [op for op in told if op.node == node]
        values: list[Any] = [op.value for op in mine]
        assert [op.type for op in mine] == ["ok", "ok", last]
        assert values[:2] == [
            {"event": "role", "role": "leader"},
            {"event": "wrote", "by": node},
        ]
        assert "asked" in values[2]
