"""Trouble for packets: on real namespaces, measured, undone without a trace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from fractions import Fraction
from math import comb
from random import Random

import pytest

from cluster import Host, HostError, Journal, Unsupported
from histories import Op
from nemesis import PACKET_FAULTS, Nemesis, PacketFault, targets
from nemesis._filters import Strike
from nemesis._packet_ways import WAYS, class_of
from nemesis._postcards import CHANCE, NATURAL_SHARE, postcards_for, threshold
from tests.nemesis.traces import struck

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]

# What an administrator may have set up before: none of it is ours to touch.
FOREIGN = [
    "nft add table inet momus",
    "nft add chain inet momus input { type filter hook input priority 0 ; policy accept ; }",
    "nft add rule inet momus input ip saddr 192.0.2.9 drop",
    "nft add table ip mangle",
    "tc qdisc add dev lo root tbf rate 1gbit burst 100kb latency 100ms",
]
CONFIGURED = "tc qdisc add dev eth0 root handle 7: tbf rate 1gbit burst 100kb latency 100ms"
SLOW = pytest.mark.slow
HALF = {"percent": 50}
CASES = [
    pytest.param("packet-loss", "nft", HALF, id="loss by nft", marks=SLOW),
    pytest.param("packet-delay", "nfqueue", {}, id="delay by nfqueue"),
    pytest.param("packet-corrupt", "nfqueue", HALF, id="corruption by nfqueue"),
    pytest.param("packet-loss", "nfqueue", HALF, id="loss by nfqueue", marks=SLOW),
    pytest.param("packet-loss", "iptables", {}, id="loss by iptables", marks=SLOW),
    pytest.param("packet-duplicate", "nfqueue", {}, id="duplication by nfqueue", marks=SLOW),
    pytest.param("packet-reorder", "nfqueue", {}, id="reordering by nfqueue", marks=SLOW),
    pytest.param("packet-rate", "htb", {}, id="rate by htb", marks=SLOW),
    pytest.param("packet-rate", "nft", {}, id="rate by nft", marks=SLOW),
    pytest.param("packet-rate", "nfqueue", {}, id="rate by nfqueue", marks=SLOW),
    *(
        pytest.param(kind, "netem", {}, id=f"{kind} by netem", marks=SLOW)
        for kind, row in PACKET_FAULTS.items()
        if "netem" in row.ways
    ),
]


async def state_of(host: Host) -> str:
    """Every packet filter rule and every queue, without packet counts."""
    tables = await host.run(["nft", "-s", "list", "ruleset"])
    queues = await host.run(["tc", "qdisc", "show"])
    return f"{tables.text}\n{queues.text}"


@pytest.mark.parametrize(("kind", "way", "attributes"), CASES)
def test_every_kind_of_trouble_is_measured_and_leaves_no_trace(
    on_namespaces: Play, kind: str, way: str, attributes: dict[str, float]
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        for host in hosts:
            for rule in FOREIGN:
                await host.run(rule.split())
            if way == "iptables":  # where it has no tables it makes some, and leaves them
                await host.run(["iptables", "-w", "-A", "INPUT", "-s", "192.0.2.8", "-j", "DROP"])
        before = [await state_of(host) for host in hosts]
        fault = PacketFault(kind, attributes=attributes, ways=[way])
        random = Random(1)
        order = fault.choose(["n1", "n2", "n3"], random, {})
        order = {**order, "targets": ["n1"], "links": ["n1->n2", "n2->n1", "n1->n3"]}
        word = PACKET_FAULTS[kind].word
        async with struck(hosts, journal, fault, order) as (nemesis, done):
            assert (done.type, done.error) == ("ok", None)
            during = done.value["receipt"]["during"]
            assert during[word] == ["n1->n2", "n1->n3", "n2->n1"]
            assert during["way"] == way
            assert done.value["attributes"] == {**PACKET_FAULTS[kind].attributes, **attributes}
            stopped = await nemesis.invoke(Op(f"stop-{kind}"))
            assert (stopped.type, stopped.error) == ("ok", None)
            assert word not in stopped.value["receipt"]["after"]
        assert [await state_of(host) for host in hosts] == before
        owed = [each for each in Journal.entries(journal.path) if each.kind == kind]
        assert len(owed) > 3
        assert all(each.closed for each in owed)

    on_namespaces(3, scenario)


def test_a_program_that_was_killed_lets_packets_pass_and_is_missed(on_namespaces: Play) -> None:
    """The kernel removes its rules with it; the receipt tells that nothing was in force."""

    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        before = [await state_of(host) for host in hosts]
        fault = PacketFault("packet-loss", targets.named("n1"), attributes=HALF, ways=["nfqueue"])
        async with struck(hosts, journal, fault, "n1") as (nemesis, done):
            assert done.type == "ok"
            for host in hosts:
                pids = "for each in packets-*.pid; do read -r pid _ < $each; kill -9 $pid; done"
                await host.run(["sh", "-c", f'cd "$1" && {pids}', "kill", host.directory])
            stopped = await nemesis.invoke(Op("stop-packet-loss"))
            assert stopped.type == "info"
            assert "n1->n2 was clear before it was healed, not lossy" in str(stopped.error)
            assert stopped.value["receipt"]["effect"] is False
        assert [await state_of(host) for host in hosts] == before

    on_namespaces(2, scenario)


def test_a_program_ends_by_itself_at_its_deadline(
    on_namespaces: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nemesis._packet_ways.AT_MOST_S", 0.3)

    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        [host] = hosts
        before = await state_of(host)
        strike = Strike(journal.run, host.directory, ("192.0.2.1", "2001:db8::1"))
        argv, program = WAYS["nfqueue"].begin(
            strike, "packet-loss", {"percent": 50}, pythons=["python3"]
        )
        try:
            await host.run(argv, input=program)
        except HostError as error:
            pytest.skip(str(error))
        async with asyncio.timeout(20):
            while await state_of(host) != before:
                await asyncio.sleep(0.05)
        await host.run(WAYS["nfqueue"].undo(strike))

    on_namespaces(1, scenario)


@pytest.mark.parametrize("way", ["htb", "nft", "nfqueue"])
def test_a_strike_that_arrives_after_it_was_undone_is_not_begun(
    on_namespaces: Play, way: str
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        host = hosts[0]
        before = await state_of(host)
        strike = Strike(journal.run, host.directory, (hosts[1].address,))
        argv, program = WAYS[way].begin(strike, "packet-rate", {"kbit_s": 512}, pythons=["python3"])
        for _ in range(2):
            await host.run(WAYS[way].undo(strike))
        assert (await host.run(argv, input=program, check=False)).code != 0
        assert await state_of(host) == before

    on_namespaces(2, scenario)


def test_a_device_whose_queue_somebody_has_configured_is_left_alone(on_namespaces: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        await hosts[0].run(CONFIGURED.split())
        before = await state_of(hosts[0])
        fault = PacketFault("packet-rate", ways=["htb"])
        with pytest.raises(Unsupported, match="queues that somebody configured"):
            await Nemesis([fault], hosts, journal).setup()
        assert await state_of(hosts[0]) == before

    on_namespaces(2, scenario)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2, 0.9])
def test_so_many_postcards_that_chance_is_no_explanation(share: float) -> None:
    count = postcards_for(share)
    limit = threshold(count, share)

    def fewer_than(p: Fraction) -> Fraction:
        return sum(
            (comb(count, hits) * p**hits * (1 - p) ** (count - hits) for hits in range(limit)),
            Fraction(0),
        )

    exact = Fraction(str(share))
    assert fewer_than(exact) <= CHANCE * 1.001
    assert 1 - fewer_than(exact / NATURAL_SHARE) <= CHANCE * 1.001
    assert count <= 100 / share


@pytest.mark.parametrize(
    ("kind", "attributes", "why"),
    [
        ("packet-loss", {"percent": 0.5}, "from 1 to 90 %"),
        ("packet-loss", {"percent": 100}, "from 1 to 90 %"),
        ("packet-delay", {"delay_ms": 30}, "jitter_ms is at least 0"),
        ("packet-delay", {"delay_ms": 5, "jitter_ms": 0}, "from 20 to 10000 ms"),
        ("packet-reorder", {"hold_ms": 1}, "from 20 to 2000 ms"),
        ("packet-rate", {"kbit_s": 1e6}, "from 64 to 8000 kbit/s"),
        ("packet-rate", {"speed": 1}, "has no attribute speed"),
        ("packet-loss", {"percent": "half"}, "must be a number"),
        ("packet-theft", {}, "known are packet-loss"),
    ],
)
def test_what_no_probe_could_tell_is_refused(
    kind: str, attributes: dict[str, float], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        PacketFault(kind, attributes=attributes)


@pytest.mark.parametrize(
    ("kind", "attributes", "queue"),
    [
        ("packet-loss", {"percent": 12.5}, "netem limit 50000 loss random 12.5%"),
        ("packet-delay", {"delay_ms": 100, "jitter_ms": 20}, "netem limit 50000 delay 100ms 20ms"),
        ("packet-duplicate", {"percent": 5}, "netem limit 50000 duplicate 5%"),
        (
            "packet-reorder",
            {"percent": 25, "hold_ms": 50},
            "netem limit 50000 delay 50ms reorder 75%",
        ),
        ("packet-corrupt", {"percent": 1}, "netem limit 50000 corrupt 1%"),
    ],
)
def test_netem_is_told_what_was_ordered(
    kind: str, attributes: dict[str, float], queue: str
) -> None:
    assert class_of("netem", kind, attributes) == ("100gbit", queue)
    strike = Strike("run", "/somewhere", ("10.0.0.2", "2001:db8::2"))
    argv, _ = WAYS["netem"].begin(strike, kind, attributes)
    assert argv[7:] == ["100gbit", queue, "10.0.0.2", "10.0.0.2", "2001:db8::2", "2001:db8::2"]
    assert "10.0.0.2" not in argv[2]


def test_addresses_never_become_part_of_a_script() -> None:
    for way in WAYS.values():
        with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
            way.begin(
                Strike("run", "/", ("10.0.0.1; reboot",)),
                "packet-rate",
                {"kbit_s": 64, "percent": 1},
            )


def test_a_choice_says_exactly_what_is_ordered_and_can_be_ordered_again() -> None:
    fault = PacketFault("packet-delay", targets.named("n2"), direction="to")
    order = fault.choose(["n1", "n2", "n3"], Random(5), {})
    assert order == {
        "targets": ["n2"],
        "choice": "n2",
        "links": ["n1->n2", "n3->n2"],
        "attributes": {"delay_ms": 100, "jitter_ms": 20},
        "seed": order["seed"],
    }
    assert fault.choose(["n1", "n2", "n3"], Random(5), {}) == json.loads(json.dumps(order))
