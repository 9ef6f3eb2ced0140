"""Faults that silently do nothing, or are undone behind our back, on SSH hosts with a real etcd.

For every fault there is, somebody else undoes it while it should be in force; what was not
there is struck; tools claim to have worked and have not.  Each time the receipt must notice,
and the run's verdict, valid otherwise, must become unknown and say why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import pytest

from cluster import Host, Journal
from momus._faults import KINDS
from nemesis import CLOCK_FAULTS, Nemesis
from tests.lab.conftest import Stage, in_groups
from tests.nemesis.scribe import Scribe

Sabotage = Callable[[Any, Host], Awaitable[object]]
"""What somebody else does on a host that was struck; the system under test is at hand."""

QUICK: Final = frozenset({"kill", "pause"})


async def _start(system: Any, host: Host) -> None:
    await system.start(host)


async def _kill(system: Any, host: Host) -> None:
    await system.kill(host)


async def _add(system: Any, host: Host) -> None:
    await system.add_member(host)


async def _remove(system: Any, host: Host) -> None:
    await system.remove_member(host)


async def _hide_program(_system: Any, host: Host) -> None:
    await host.run(["mv", f"{host.directory}/etcd", f"{host.directory}/etcd.hidden"])


async def _show_program(_system: Any, host: Host) -> None:
    await host.run(["mv", f"{host.directory}/etcd.hidden", f"{host.directory}/etcd"])


async def _resume(system: Any, host: Host) -> None:
    await system.resume(host)


async def _flush(_system: Any, host: Host) -> None:
    """All rules and queues of a host go, whosever they are."""
    script = """
    nft flush ruleset
    for each in $(ls /sys/class/net); do tc qdisc del dev "$each" root; done
    for family in -4 -6; do while ip "$family" rule del type blackhole; do :; done; done
    :
    """
    await host.run(["sh", "-c", script], check=False)


async def _restart_proxy(system: Any, host: Host) -> None:
    """Another proxy server in place of ours, with fresh proxies."""
    await system.front.start(host, system.front.routes)


OTHERWISE: Final[Mapping[str, Sabotage]] = {
    "kill": _start,
    "disk-lose-unsynced": _start,
    "restart": _kill,
    "rolling-restart": _kill,
    "reload": _kill,
    "upgrade": _kill,
    "mixed-versions": _kill,
    "crash-loop": _hide_program,
    "member-remove": _add,
    "member-shrink": _add,
    "forced-leave": _add,
    "member-replace": _remove,
    "member-grow": _remove,
}
"""How the faults are undone whose journal holds no commands, since the system heals them."""

AFTERWARDS: Final[Mapping[str, Sabotage]] = {"crash-loop": _show_program}

BY_HAND: Final[Mapping[str, Sabotage]] = {
    "pause": _resume,
    **{name: _flush for name, kind in KINDS.items() if kind.own_network},
    **{name: _restart_proxy for name, kind in KINDS.items() if kind.proxied},
}
"""How faults are undone by those who know nothing of momus."""

LASTING: Final = frozenset({"disk-bit-flips", "disk-truncate"})
"""What stays proven though it is gone: damage that the system has mended itself."""


def kinds(names: Sequence[str], quick: frozenset[str] = QUICK) -> list[object]:
    """These faults, as parameters."""
    return [
        pytest.param(name, marks=() if name in quick else pytest.mark.slow)
        for name in in_groups(list(names))
    ]


async def by_the_journal(stage: Stage, kind: str) -> int:
    """Somebody runs the undo commands that stand in our journal; how many entries had any."""
    entries = [
        entry
        for entry in Journal.open_entries(stage.journal.path)
        if entry.kind == kind and entry.undo
    ]
    by_name = {host.name: host for host in stage.hosts}
    for entry in entries:
        for argv in entry.undo:
            if entry.host["name"] in by_name:
                await by_name[entry.host["name"]].run(argv, sudo=entry.sudo)
    return len(entries)


async def undone(stage: Stage, kind: str, undo: Callable[[Any, Sequence[Host]], Any]) -> None:
    """Strike, have it undone, stop: the stop must notice, and the verdict must say so."""
    nemesis, fault, system = await stage.nemesis(kind)
    await stage.look()
    scribe = Scribe()
    scribe.client("write", 1)
    try:
        order = stage.order(fault)
        struck = await scribe.order(nemesis, f"start-{kind}", order)
        assert (struck.type, struck.error) == ("ok", None), struck.value
        hosts = [host for host in stage.hosts if host.name in struck.value["targets"]]
        await undo(system, hosts)
        healed = await scribe.order(nemesis, f"stop-{kind}")
        assert healed.type == "info", healed.value
        assert healed.value["receipt"]["effect"] is False
        assert "before it was healed, not" in str(healed.error)
        scribe.client("read", 1)
        verdict = scribe.verdict()
        assert verdict.valid == "unknown"
        assert f"stop-{kind}" in verdict.unknown.sentence
        assert "1 of 2 orders to the nemesis is not proven" in verdict.unknown.sentence
        if kind in AFTERWARDS:
            await asyncio.gather(*(AFTERWARDS[kind](system, host) for host in hosts))
    finally:
        await clean(stage, nemesis, system)


async def clean(stage: Stage, nemesis: Nemesis, system: Any) -> None:
    """Whatever was sabotaged, healing leaves hosts as they were; else the next get fresh ones."""
    try:
        await nemesis.teardown()
        await stage.all_up(system)
        assert await stage.left() == []
    except BaseException:
        await stage.forget()
        raise


@pytest.mark.parametrize("kind", kinds([name for name in KINDS if name not in LASTING]))
def test_a_fault_undone_behind_our_back_is_noticed_and_the_run_is_unknown(
    stage: Stage, kind: str
) -> None:
    async def undo(system: Any, hosts: Sequence[Host]) -> None:
        if kind in OTHERWISE:
            # One will do: a cluster that is killed as a whole heals only after many time-outs.
            chosen = hosts[:1] if OTHERWISE[kind] is _kill else hosts
            await asyncio.gather(*(OTHERWISE[kind](system, host) for host in chosen))
        else:
            assert await by_the_journal(stage, kind), "no undo: say in OTHERWISE how it is undone"

    stage.run(undone(stage, kind, undo))


@pytest.mark.parametrize("kind", kinds(list(BY_HAND), frozenset()))
def test_a_fault_undone_by_hand_is_noticed_and_the_run_is_unknown(stage: Stage, kind: str) -> None:
    async def undo(system: Any, hosts: Sequence[Host]) -> None:
        # A partition of one node has its rules on the others.
        everywhere = stage.hosts if BY_HAND[kind] is _flush else hosts
        await asyncio.gather(*(BY_HAND[kind](system, host) for host in everywhere))

    stage.run(undone(stage, kind, undo))


OF_RUNNING: Final = [
    name
    for name, kind in KINDS.items()
    if not (kind.own_network or kind.proxied or kind.disk or kind.versions)
    and name not in ("memory-balloon", "member-grow", *CLOCK_FAULTS)
]
"""Faults of a process that runs, and of nothing else."""


@pytest.mark.parametrize("kind", kinds(OF_RUNNING, frozenset({"restart"})))
def test_what_was_not_running_was_not_struck_and_the_run_is_unknown(
    stage: Stage, kind: str
) -> None:
    async def scenario() -> None:
        nemesis, _, system = await stage.nemesis(kind)
        await stage.look()
        scribe = Scribe()
        scribe.client("write", 1)
        try:
            await system.kill(stage.hosts[1])
            struck = await scribe.order(nemesis, f"start-{kind}", {"targets": ["n2"]})
            await scribe.order(nemesis, f"stop-{kind}")
            scribe.client("read", 1)
            assert struck.type == "info", struck.value
            verdict = scribe.verdict()
            assert verdict.valid == "unknown"
            assert f"start-{kind}" in verdict.unknown.sentence
        finally:
            await clean(stage, nemesis, system)

    stage.run(scenario())


_LIE: Final = """
for tool in iptables ip6tables nft tc; do
    path=$(command -v "$tool") && mount --bind "$(command -v true)" "$(readlink -f "$path")"
done
:
"""
_TRUTH: Final = """
for tool in iptables ip6tables nft tc; do
    path=$(command -v "$tool") || continue
    while umount "$(readlink -f "$path")" 2>/dev/null; do :; done
done
:
"""


@pytest.mark.parametrize(
    "kind", kinds([name for name, kind in KINDS.items() if kind.own_network], frozenset())
)
def test_tools_that_claim_to_have_worked_are_found_out_and_the_run_is_unknown(
    stage: Stage, kind: str
) -> None:
    async def scenario() -> None:
        nemesis, fault, system = await stage.nemesis(kind)
        await stage.look()
        scribe = Scribe()
        scribe.client("write", 1)
        try:
            await asyncio.gather(*(host.run(["sh", "-c", _LIE]) for host in stage.hosts))
            order = stage.order(fault)
            struck = await scribe.order(nemesis, f"start-{kind}", order)
        finally:
            await asyncio.gather(*(host.run(["sh", "-c", _TRUTH]) for host in stage.hosts))
            await clean(stage, nemesis, system)
        scribe.client("read", 1)
        assert struck.type == "info", struck.value
        assert struck.value["receipt"]["effect"] is False
        assert scribe.verdict().valid == "unknown"

    stage.run(scenario())


@pytest.mark.slow
def test_a_proxy_server_that_is_gone_is_no_fault_and_the_run_is_unknown(stage: Stage) -> None:
    async def scenario() -> None:
        nemesis, _, system = await stage.nemesis("latency")
        await stage.look()
        scribe = Scribe()
        scribe.client("write", 1)
        try:
            await system.front.stop(stage.hosts[1])
            struck = await scribe.order(nemesis, "start-latency", {"targets": ["n2"]})
            assert struck.type == "info", struck.value
            scribe.client("read", 1)
            assert scribe.verdict().valid == "unknown"
            await system.front.start(stage.hosts[1], system.front.routes)
        finally:
            await clean(stage, nemesis, system)

    stage.run(scenario())
