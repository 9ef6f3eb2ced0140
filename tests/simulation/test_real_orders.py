"""Orders to raftkv as faults of real processes: who obeys, what shows, and what is declined."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from cluster import Host, Journal, local
from histories import Json, Op
from nemesis import Nemesis, targets
from simulation.raftkv import SYSTEM
from simulation.raftkv._twins import TWINS
from simulation.real import Processes

LIMIT_S = 90
MOVABLE: dict[str, Json] = {"movable": True, "replicas": 2}

Play = Callable[[Processes, Sequence[Host], Nemesis], Awaitable[None]]


def with_three(tmp_path: Path, scenario: Play) -> None:
    """Play it with three local nodes, of which two have the one shard."""

    async def play() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with local(3, directory=tmp_path, journal=journal) as hosts:
                system = Processes(SYSTEM, "simulation.raftkv:program", seed=7, options=MOVABLE)
                makes = [twin.make for twin in TWINS.values() if twin.make is not None]
                nemesis = Nemesis([make(system, targets.one) for make in makes], hosts, journal)
                try:
                    await system.setup(hosts)
                    await nemesis.setup()
                    await scenario(system, hosts, nemesis)
                finally:
                    await nemesis.teardown()
                    await system.teardown()

    async def in_time() -> None:
        async with asyncio.timeout(LIMIT_S):
            await play()

    asyncio.run(in_time())


async def done(nemesis: Nemesis, f: str, value: Json = None) -> tuple[Op, Any]:
    """The completion of an order, and its receipt."""
    op: Any = await nemesis.invoke(Op(f, value))
    return op, op.value["receipt"]


def test_orders_are_proven_by_what_nodes_tell_afterwards(tmp_path: Path) -> None:
    async def scenario(system: Processes, hosts: Sequence[Host], nemesis: Nemesis) -> None:  # noqa: ARG001
        for f, value, shown in (
            ("move", {"nodes": ["n2", "n3"]}, {"group": "s1.2", "state": "ACTIVE"}),
            ("change", {"nodes": ["n1", "n2", "n3"]}, {"voters": ["n1", "n2", "n3"]}),
            ("transfer", {"to": "n1"}, {"primary": "n1"}),
        ):
            given, receipt = await done(nemesis, f"start-{f}", {"shard": "s1", **value})
            assert (given.type, given.error) == ("ok", None)
            assert receipt["during"]["obeyed_by"] in ("n1", "n2", "n3")
            ended, receipt = await done(nemesis, f"stop-{f}")
            assert (ended.type, ended.error) == ("ok", None)
            told = receipt["after"]["told"]["s1"]
            assert {key: told[key] for key in shown} == shown

    with_three(tmp_path, scenario)


def test_what_nobody_obeys_or_nothing_shows_is_declined(tmp_path: Path) -> None:
    async def scenario(system: Processes, hosts: Sequence[Host], nemesis: Nemesis) -> None:
        given, receipt = await done(nemesis, "start-move", {"shard": "s1", "nodes": ["n9"]})
        assert receipt == {"ok": False, "declined": True}
        assert "nodes are n1, n2, n3, not ['n9']" in str(given.error)
        there, receipt = await done(nemesis, "start-change", {"shard": "s1", "nodes": ["n1", "n2"]})
        assert receipt == {"ok": False, "declined": True}
        assert "there is nothing to change" in str(there.error)
        # Who is to lead is silent, so it never shows; nor would any other order.
        await system.kill(hosts[2])
        given, _ = await done(nemesis, "start-move", {"shard": "s1", "nodes": ["n3"]})
        assert given.type == "ok"
        ended, receipt = await done(nemesis, "stop-move")
        assert (ended.type, receipt["declined"]) == ("info", True)
        assert "nothing had shown it" in str(ended.error)

    with_three(tmp_path, scenario)
