"""Clocks of daemons that go wrong by libfaketime, seen from outside."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest

from cluster import FakedClock, Host, Journal, Unsupported
from histories import Op
from nemesis import CLOCK_FAULTS, ClockFault, Nemesis
from tests.nemesis.valkey import Valkey

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]


@contextlib.asynccontextmanager
async def at_work(
    fault: Any, system: Valkey, hosts: Sequence[Host], journal: Journal
) -> AsyncIterator[Nemesis]:
    """A nemesis with this fault (or list of them), on running servers."""
    try:
        await system.setup(hosts)
        nemesis = Nemesis(fault if isinstance(fault, list) else [fault], hosts, journal)
        await nemesis.setup()
        try:
            yield nemesis
        finally:
            await nemesis.teardown()
    except Unsupported as error:
        if "libfaketime is not installed" in error.what:
            pytest.skip(str(error))
        raise
    finally:
        for host in hosts:
            await host.stop(system.name)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("skew", {"offset_s": -42.5}),
        ("jump", {"offset_s": 7200}),
        ("strobe", {"offset_s": 2.5, "period_s": 0.3}),
        ("drift", {"rate": -0.25}),
    ],
)
def test_a_server_in_the_dress_loses_its_time_and_gets_it_back(
    on_namespaces: Play, kind: str, settings: dict[str, float]
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        system = Valkey(FakedClock())
        async with at_work(ClockFault(kind, system), system, hosts, journal) as nemesis:
            started = await nemesis.invoke(Op(f"start-{kind}", {"targets": ["n1"], **settings}))
            assert (started.type, started.error) == ("ok", None)
            during = started.value["receipt"]["during"]
            assert during[CLOCK_FAULTS[kind].word] == ["n1"]
            assert during["ways"] == {"n1": "libfaketime"}
            assert during["asked"] == {"n1": "valkey"}
            others = await nemesis._faults[kind].prove(frozenset({"n2"}))
            assert others.states == {"n2": "true"}, "the other server's clock is its own"
            stopped = await nemesis.invoke(Op(f"stop-{kind}"))
            assert (stopped.type, stopped.error) == ("ok", None)
            assert stopped.value["receipt"]["after"]["true"] == ["n1"]

    on_namespaces(2, scenario)
