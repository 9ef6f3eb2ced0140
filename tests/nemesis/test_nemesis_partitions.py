"""Partitions of real networks: namespaces, with rules of other people already there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import Any

import pytest

from cluster import Host, HostError, Journal
from histories import Json, Op
from nemesis import Nemesis, Partition, grudges
from nemesis._filters import FILTERS, Filter, Strike
from nemesis._links import link_states, resolve
from tests.nemesis.traces import rules_of, struck, with_foreign_rules

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]

FILTER_NAMES = [each.name for each in FILTERS]


def partitioned(
    hosts: Sequence[Host], journal: Journal, partition: Partition, value: Json
) -> AbstractAsyncContextManager[tuple[Nemesis, Op]]:
    return struck(hosts, journal, partition, value, must=True)


async def need(host: Host, by: Filter) -> None:
    try:
        await host.run(by.look(["192.0.2.1"], sparing=False))
    except HostError as error:
        pytest.skip(f"{by.name} does not work in namespaces here: {error}")


@pytest.mark.parametrize("by", FILTERS, ids=FILTER_NAMES)
def test_a_one_way_cut_is_one_way_and_leaves_no_trace_among_the_rules_of_others(
    on_namespaces: Play, by: Filter
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        for other in FILTERS:
            await need(hosts[0], other)
        before = await with_foreign_rules(hosts)
        deaf = {"n1": ["n2", "n3"]}
        partition = Partition(filters=[by.name])
        async with partitioned(hosts, journal, partition, {"grudge": deaf}) as (nemesis, done):
            assert (done.type, done.error) == ("ok", None)
            during = done.value["receipt"]["during"]
            assert during["cut"] == ["n2->n1", "n3->n1"]
            assert during["open"] == ["n1->n2", "n1->n3", "n2->n3", "n3->n2"]
            assert [await rules_of(host) for host in hosts] != before
            done = await nemesis.invoke(Op("stop-partition"))
            assert (done.type, done.error) == ("ok", None)
            assert len(done.value["receipt"]["after"]["open"]) == 6
        assert [await rules_of(host) for host in hosts] == before

    on_namespaces(3, scenario)


@pytest.mark.parametrize("shape", ["one", "halves", "majority-ring", "bridge", "random"])
def test_every_shape_cuts_exactly_what_its_grudge_says(on_namespaces: Play, shape: str) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        nodes = [host.name for host in hosts]
        value = Partition(shape).choose(nodes, Random(7), {})
        expected = grudges.links(grudges.from_json(value["grudge"], nodes))
        async with partitioned(hosts, journal, Partition(), value) as (_, done):
            assert (done.type, done.error) == ("ok", None)
            cut = done.value["receipt"]["during"]["cut"]
            assert {tuple(link.split("->")) for link in cut} == expected

    on_namespaces(5, scenario)


def test_hosts_without_any_firewall_tables_get_none_left_behind(on_namespaces: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        before = [await rules_of(host) for host in hosts]
        async with partitioned(hosts, journal, Partition(), {"grudge": {"n1": ["n2"]}}) as (
            _,
            done,
        ):
            assert done.type == "ok"
        assert [await rules_of(host) for host in hosts] == before

    on_namespaces(2, scenario)


def test_rules_say_whose_they_are(on_namespaces: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        await need(hosts[0], FILTERS[0])
        partition = Partition(filters=["iptables"])
        async with partitioned(hosts, journal, partition, {"grudge": {"n1": ["n2"]}}):
            rules = (await hosts[0].run(["iptables", "-S"])).text
        assert "-N MOMUS-" in rules
        drop = f'-s 10.66.0.2/32 -m comment --comment "momus:{journal.run}" -j DROP'
        assert drop in rules

    on_namespaces(2, scenario)


def test_rules_deleted_behind_our_back_are_noticed(on_namespaces: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        await need(hosts[0], FILTERS[1])
        partition = Partition(filters=["nft"])
        async with partitioned(hosts, journal, partition, {"grudge": {"n1": ["n2"]}}) as (
            nemesis,
            done,
        ):
            assert done.type == "ok"
            await hosts[0].run(["nft", "flush", "ruleset"])
            done = await nemesis.invoke(Op("stop-partition"))
            assert done.type == "info"
            assert done.error == "n2->n1 was open before it was healed, not cut"

    on_namespaces(2, scenario)


def test_a_network_that_is_cut_already_is_refused_before_the_load(on_namespaces: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        await need(hosts[0], FILTERS[0])
        await hosts[0].run(["iptables", "-A", "INPUT", "-s", hosts[1].address, "-j", "DROP"])
        nemesis = Nemesis([Partition()], hosts, journal)
        with pytest.raises(HostError, match=r"probe from n2 to n1 .* without any fault"):
            await nemesis.setup()
        await nemesis.teardown()

    on_namespaces(2, scenario)


def test_partitions_add_up_until_they_are_healed(on_namespaces: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        async with partitioned(hosts, journal, Partition(), {"grudge": {"n1": ["n2"]}}) as (
            nemesis,
            _,
        ):
            more = Op("start-partition", {"grudge": {"n1": ["n2", "n3"]}})
            done = await nemesis.invoke(more)
            assert (done.type, done.error) == ("ok", None)
            assert done.value["receipt"]["before"]["cut"] == ["n2->n1"]
            assert done.value["receipt"]["during"]["cut"] == ["n2->n1", "n3->n1"]
            assert (await nemesis.invoke(Op("stop-partition"))).type == "ok"

    on_namespaces(3, scenario)


def test_probes_of_several_runs_at_once_do_not_mistake_each_other(on_namespaces: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:  # noqa: ARG001
        table = {host.name: host for host in hosts}
        addresses = await resolve(table)
        links = {("n1", "n2"), ("n2", "n1")}
        # The same run id wants the same port: the second to come must find another.
        both = await asyncio.gather(
            *(link_states(table, addresses, "same-run", links) for _ in range(2))
        )
        for states, failures in both:
            assert set(states.values()) == {"open"}
            assert failures == {}

    on_namespaces(2, scenario)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("halves", "needs .*grudge.* turned into grudges by a schedule"),
        ({"grudge": {"n1": ["n7"]}}, "names n7"),
        ({"choice": "primaries", "kind": "one"}, "cannot name its primaries"),
    ],
)
def test_an_order_that_makes_no_sense_cuts_nothing(
    on_namespaces: Play, value: Json, complaint: str
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        nemesis = Nemesis([Partition()], hosts, journal)
        await nemesis.setup()
        before = await rules_of(hosts[0])
        done = await nemesis.invoke(Op("start-partition", value))
        assert done.type == "info"
        assert re.search(complaint, done.error)
        assert await rules_of(hosts[0]) == before
        await nemesis.teardown()

    on_namespaces(2, scenario)


def test_primaries_are_isolated_when_the_system_names_them(
    on_namespaces: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        nemesis = Nemesis([Partition(system=system)], hosts, journal)
        await nemesis.setup()
        order = Op("start-partition", {"choice": "primaries", "kind": "one", "targets": None})
        done = await nemesis.invoke(order)
        assert done.value["targets"] == ["n2"]
        assert done.value["grudge"] == {"n1": ["n2"], "n2": ["n1", "n3"], "n3": ["n2"]}
        assert done.type == "ok"
        await nemesis.teardown()

    on_namespaces(3, scenario)


@pytest.mark.parametrize("by", FILTERS, ids=FILTER_NAMES)
def test_a_strike_that_arrives_after_it_was_undone_is_not_begun(
    on_namespaces: Play, by: Filter
) -> None:
    """A command of a dead driver may still be on its way when its undo has run."""

    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        [host] = hosts
        await need(host, by)
        before = await rules_of(host)
        late = Strike(journal.run, host.directory, ("10.66.0.2",))
        await host.run(by.undo(late))
        done = await host.run(by.block(late), check=False)
        assert done.code != 0
        assert await rules_of(host) == before
        another = Strike(journal.run, host.directory, ("10.66.0.2",))
        await host.run(by.block(another))
        assert await rules_of(host) != before
        await host.run(by.undo(another))

    on_namespaces(1, scenario)


@pytest.mark.parametrize("by", FILTERS, ids=FILTER_NAMES)
def test_addresses_of_both_families_are_blocked_and_freed(on_namespaces: Play, by: Filter) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        [host] = hosts
        await need(host, by)
        if by.name == "iptables":
            await host.run(["ip6tables", "-w", "-A", "INPUT", "-s", "2001:db8::9", "-j", "DROP"])
        before = await rules_of(host) + (await host.run(["ip", "-6", "rule", "show"])).text
        strike = Strike(journal.run, host.directory, ("192.0.2.1", "2001:db8::7"))
        for _ in range(2):  # doing it again adds nothing
            await host.run(by.block(strike))
        during = await rules_of(host) + (await host.run(["ip", "-6", "rule", "show"])).text
        assert "192.0.2.1" in during
        assert "2001:db8::7" in during
        for _ in range(2):
            await host.run(by.undo(strike))
        after = await rules_of(host) + (await host.run(["ip", "-6", "rule", "show"])).text
        if by.name == "iptables":  # forced upon a host without IPv4 tables, it makes them
            assert "MOMUS" not in after
        else:
            assert after == before

    on_namespaces(1, scenario)


@pytest.mark.parametrize("by", FILTERS, ids=FILTER_NAMES)
def test_addresses_and_and_names_never_become_part_of_a_script(by: Filter) -> None:
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
        by.block(Strike("run", "/", ("10.0.0.1; reboot",)))
    with pytest.raises(ValueError, match="letters, digits"):
        by.block(Strike('run" ; flush ruleset ; "', "/", ("10.0.0.1",)))
    script = by.block(Strike("run", "/", ("10.0.0.1",)))[2]
    assert "10.0.0.1" not in script


def test_routing_rules_under_reverse_path_filtering_cut_both_ways_and_the_receipt_says_so(
    on_namespaces: Play,
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        await need(hosts[0], FILTERS[2])
        strict = 'for each in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 > "$each"; done'
        for host in hosts:
            if (await host.run(["sh", "-c", strict], check=False)).code != 0:
                pytest.skip("reverse path filtering cannot be switched on here")
        partition = Partition(filters=["ip rule"])
        async with partitioned(hosts, journal, partition, {"grudge": {"n1": ["n2"]}}) as (_, done):
            assert done.type == "info"
            assert done.error == "n1->n2 was open and is cut, though nobody struck it"

    on_namespaces(2, scenario)
