"""A fault that silently did nothing costs a run its `valid`, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from cluster import Host, Journal
from histories import NEMESIS
from nemesis import Kill, Nemesis, Partition, Pause
from tests.nemesis.scribe import Scribe

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]


def good(f: str, **receipt: Any) -> tuple[str, str, Any]:
    return ("ok", f, {"targets": ["n1"], "receipt": {"ok": True, **receipt}})


def bad(f: str) -> tuple[str, str, Any]:
    return ("info", f, {"targets": ["n1"], "receipt": {"ok": False, "effect": False}})


def recorded(*answers: tuple[str, str, Any]) -> Scribe:
    scribe = Scribe()
    scribe.client("write", 1)
    for type, f, value in answers:
        scribe.write(NEMESIS, "invoke", f, None)
        scribe.write(NEMESIS, type, f, value, None if type == "ok" else "it was not so")
    scribe.client("read", 1)
    return scribe


def test_faults_with_good_receipts_leave_a_valid_run_valid() -> None:
    assert recorded(good("start-kill"), good("stop-kill")).verdict().valid is True


@pytest.mark.parametrize("f", ["start-kill", "stop-kill"])
def test_a_fault_without_effect_makes_a_valid_run_unknown(f: str) -> None:
    verdict = recorded(good("start-pause"), bad(f)).verdict()
    assert verdict.valid == "unknown"
    assert verdict.unknown.cause == "vacuous"
    assert "1 of 2 orders to the nemesis is not proven" in verdict.unknown.sentence
    assert f"{f} at 4.0 s" not in verdict.unknown.sentence, "times are those of completions"
    assert f"{f} at 5.0 s: it was not so" in verdict.unknown.sentence


def test_a_fault_without_effect_leaves_an_invalid_run_invalid() -> None:
    scribe = recorded(bad("start-kill"))
    scribe.client("read", 2)
    assert scribe.verdict().valid is False


def test_a_fault_that_could_not_be_healed_was_in_force_all_the_same() -> None:
    healed_badly = ("info", "stop-kill", {"receipt": {"ok": False}})
    assert recorded(good("start-kill"), healed_badly).verdict().valid is True


def test_a_declined_order_counts_only_where_that_fault_was_never_in_force() -> None:
    declined = ("info", "start-member-remove", {"receipt": {"ok": False, "declined": True}})
    after = [good("stop-member-remove")]
    assert recorded(declined, *after).verdict().valid == "unknown"
    struck = [good("start-member-remove"), good("stop-member-remove")]
    assert recorded(declined, *after, *struck).verdict().valid is True
    assert recorded(*struck, declined, *after).verdict().valid is True
    others = recorded(declined, *after, good("start-kill"), good("stop-kill")).verdict()
    assert others.valid == "unknown"
    assert "1 of 4 orders" in others.unknown.sentence


def test_an_order_that_was_never_answered_is_not_proven() -> None:
    scribe = recorded(good("start-kill"))
    scribe.write(NEMESIS, "invoke", "start-pause", None)
    verdict = scribe.verdict()
    assert verdict.valid == "unknown"
    assert "start-pause at 6.0 s: it never ended" in verdict.unknown.sentence


def test_an_order_that_was_answered_without_a_receipt_is_not_proven() -> None:
    assert recorded(("info", "start-kill", None)).verdict().valid == "unknown"


def test_histories_of_tools_that_know_no_receipts_are_judged_as_they_are() -> None:
    assert recorded(("info", "start-kill", None)).verdict(meta={}).valid is True


def test_a_kill_of_what_was_not_running_is_noticed(on_local: Play, system: Any) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        nemesis = Nemesis([Kill(system)], hosts, journal)
        await nemesis.setup()
        scribe = recorded()
        await scribe.order(nemesis, "start-kill", {"targets": ["n1"]})
        verdict = scribe.verdict(meta={})
        assert verdict.valid == "unknown"
        assert "n1 was gone before the strike" in verdict.unknown.sentence

    on_local(1, scenario)


def test_a_kill_undone_behind_our_back_is_noticed(on_local: Play, system: Any) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        await system.start(hosts[0])
        nemesis = Nemesis([Kill(system)], hosts, journal)
        await nemesis.setup()
        scribe = recorded()
        await scribe.order(nemesis, "start-kill", {"targets": ["n1"]})
        assert scribe.verdict().valid is True
        await system.start(hosts[0])
        await scribe.order(nemesis, "stop-kill")
        assert scribe.verdict().valid == "unknown"

    on_local(1, scenario)


def test_a_pause_undone_behind_our_back_is_noticed(on_local: Play, system: Any) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        await system.start(hosts[0])
        nemesis = Nemesis([Pause(system)], hosts, journal)
        await nemesis.setup()
        scribe = recorded()
        await scribe.order(nemesis, "start-pause", {"targets": ["n1"]})
        await hosts[0].signal("sleepers", "CONT")
        await scribe.order(nemesis, "stop-pause")
        verdict = scribe.verdict()
        assert verdict.valid == "unknown"
        assert "n1 was running before it was healed, not paused" in verdict.unknown.sentence

    on_local(1, scenario)


def test_a_partition_whose_rules_were_deleted_behind_our_back_is_noticed(
    on_namespaces: Play,
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        nemesis = Nemesis([Partition()], hosts, journal)
        await nemesis.setup()
        scribe = recorded()
        grudge = {"kind": "one", "targets": ["n1"], "grudge": {"n1": ["n2"], "n2": ["n1"]}}
        await scribe.order(nemesis, "start-partition", grudge)
        assert scribe.verdict().valid is True
        for host in hosts:
            await host.run(["sh", "-c", "nft flush ruleset; iptables -F; :"], check=False)
            while "blackhole" in (await host.run(["ip", "rule"])).text:
                await host.run(["ip", "rule", "del", "blackhole"], check=False)
        await scribe.order(nemesis, "stop-partition")
        verdict = scribe.verdict()
        assert verdict.valid == "unknown"
        assert "was open before it was healed, not cut" in verdict.unknown.sentence

    on_namespaces(2, scenario)


def test_a_stop_that_was_declined_needs_another_that_ended_something() -> None:
    for_nothing = ("info", "stop-move", {"receipt": {"ok": False, "declined": True}})
    idle = ("ok", "stop-move", {"receipt": {"ok": True}})
    order = good("start-move")
    assert recorded(order, for_nothing, idle).verdict().valid == "unknown"
    ended = ("ok", "stop-move", {"receipt": {"ok": True, "during": {}, "after": {}}})
    assert recorded(order, for_nothing, order, ended).verdict().valid is True
