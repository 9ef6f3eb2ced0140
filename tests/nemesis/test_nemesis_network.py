"""Flapping partitions, reset connections and failing DNS, on real namespaces."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import Random

import pytest

from cluster import Host, Journal, Unsupported, heal, namespaces, ssh
from cluster._sshlab import ssh_lab
from histories import Op
from nemesis import DnsFailure, Fault, Flapping, Nemesis, PacketFault, ResetConnections, targets
from nemesis._filters import FILTERS, Filter, Strike
from tests.nemesis.traces import rules_of, struck, with_foreign_rules

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]

DRIVER = Path(__file__).with_name("driver_of_packets.py")

SLOW = pytest.mark.slow
SERVE = "import socket,time; s=socket.create_server(('', 7000)); c=s.accept()[0]; print(c.recv(9))"
TALK = """
import socket, sys, time
end = time.monotonic() + 20
while True:  # the server may not be up yet
    try:
        line = socket.create_connection((sys.argv[1], 7000), 5)
        break
    except ConnectionRefusedError:
        time.sleep(0.05)
        assert time.monotonic() < end
open(sys.argv[2], "w").close()
try:
    while time.monotonic() < end:
        time.sleep(0.05)
        if open(sys.argv[2]).read() == "now":
            line.send(b"x")
            line.settimeout(5)
            print(line.recv(1))
except ConnectionResetError:
    print("reset")
"""


def test_a_flapping_link_is_seen_in_both_phases_and_left_open(on_namespaces: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        before = await with_foreign_rules(hosts)
        fault = Flapping(cut_s=0.5, open_s=0.5)
        order = {"grudge": {"n1": ["n2"]}, "cut_s": 0.6}
        async with struck(hosts, journal, fault, order) as (_, done):
            assert (done.type, done.error) == ("ok", None)
            assert done.value["receipt"]["during"]["flapping"] == ["n2->n1"]
            assert (done.value["cut_s"], done.value["open_s"]) == (0.6, 0.5)
        assert [await rules_of(host) for host in hosts] == before

    on_namespaces(2, scenario)


@pytest.mark.parametrize(
    "by",
    [pytest.param(by, id=by.name, marks=[] if by.name == "nft" else SLOW) for by in FILTERS],
)
def test_a_lifted_strike_may_come_again_and_an_undone_one_may_not(
    on_namespaces: Play, by: Filter
) -> None:
    """So a driver killed in the open phase leaves no cut that could come after its undo."""

    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        [host] = hosts
        [before] = await with_foreign_rules(hosts)
        strike = Strike(f"{journal.run}/flapping", host.directory, ("192.0.2.1",))
        for _ in range(2):
            await host.run(by.block(strike))
            assert await rules_of(host) != before
            await host.run(by.lift(strike))
            assert await rules_of(host) == before
        await host.run(by.undo(strike))
        assert (await host.run(by.block(strike), check=False)).code != 0
        assert await rules_of(host) == before

    on_namespaces(1, scenario)


def test_phases_that_no_probe_could_tell_are_refused() -> None:
    with pytest.raises(ValueError, match=r"cut_s .* must be from 0\.5 to 60 s"):
        Flapping(cut_s=0.1)
    chosen = Flapping("halves", cut_s=2).choose(["n1", "n2"], Random(1), {})
    assert (chosen["kind"], chosen["cut_s"], chosen["open_s"]) == ("halves", 2.0, 1.0)


@pytest.mark.parametrize("way", ["nft", pytest.param("iptables", marks=SLOW)])
def test_connections_are_reset_and_new_ones_refused(
    on_namespaces: Play, way: str, tmp_path: Path
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        before = await with_foreign_rules(hosts)
        await hosts[1].start("server", ["python3", "-c", SERVE])
        mark = tmp_path / "connected"
        await hosts[0].start("client", ["python3", "-c", TALK, hosts[1].address, str(mark)])
        async with asyncio.timeout(20):
            while not mark.exists():
                await asyncio.sleep(0.05)
        fault = ResetConnections(targets.named("n1"), ways=[way])
        async with struck(hosts, journal, fault, "n1") as (nemesis, done):
            assert (done.type, done.error) == ("ok", None)
            during = done.value["receipt"]["during"]
            assert during["reset"] == ["n1->n2", "n1->n3", "n2->n1", "n3->n1"]
            assert during["clear"] == ["n2->n3", "n3->n2"]
            mark.write_text("now")
            async with asyncio.timeout(20):
                while await hosts[0].alive("client"):
                    await asyncio.sleep(0.05)
            log = await hosts[0].read(f"{hosts[0].directory}/client.log")
            assert log.decode().strip() == "reset"
            stopped = await nemesis.invoke(Op("stop-reset-connections"))
            assert (stopped.type, stopped.error) == ("ok", None)
        assert [await rules_of(host) for host in hosts] == before

    on_namespaces(3, scenario)


@pytest.mark.parametrize(
    ("way", "mode"),
    [
        ("nft", "silent"),
        pytest.param("iptables", "refused", marks=SLOW),
        pytest.param("nft", "refused", marks=SLOW),
        pytest.param("iptables", "silent", marks=SLOW),
    ],
)
def test_names_are_resolved_no_more_and_then_again(
    on_namespaces: Play, way: str, mode: str
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        before = await with_foreign_rules(hosts)
        fault = DnsFailure(targets.named("n2"), mode=mode, ways=[way])
        async with struck(hosts, journal, fault, "n2") as (nemesis, done):
            assert (done.type, done.error) == ("ok", None)
            during = done.value["receipt"]["during"]
            assert during["unresolved"] == ["n2"]
            assert during["seen"]["n2"]["path"]["tcp"] == mode
            stopped = await nemesis.invoke(Op("stop-dns-failure"))
            assert (stopped.type, stopped.error) == ("ok", None)
        assert [await rules_of(host) for host in hosts] == before

    on_namespaces(2, scenario)


@SLOW
def test_a_name_that_the_host_still_knows_disproves_the_failure(on_namespaces: Play) -> None:
    """A name in /etc/hosts needs no DNS."""

    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        fault = DnsFailure(names=["localhost"])
        async with struck(hosts, journal, fault, "n1") as (_, done):
            assert done.type == "info"
            assert done.error == "n1 was half resolving after the strike, not unresolved"

    on_namespaces(1, scenario)


@pytest.mark.parametrize(
    "fault",
    [
        PacketFault("packet-loss", ways=["nfqueue"]),
        pytest.param(PacketFault("packet-rate", ways=["htb"]), marks=SLOW),
        Flapping(cut_s=0.5, open_s=0.5),
        pytest.param(ResetConnections(), marks=SLOW),
        pytest.param(DnsFailure(), marks=SLOW),
    ],
    ids=lambda fault: fault.name,
)
def test_what_a_dead_driver_left_is_healed_from_its_journal(tmp_path: Path, fault: Fault) -> None:
    async def scenario() -> None:
        journal = Journal(tmp_path / "faults.jsonl")
        async with namespaces(2, directory=tmp_path) as hosts:
            before = await with_foreign_rules(hosts)
            queues = [(await host.run(["tc", "qdisc", "show"])).text for host in hosts]
            nemesis = Nemesis([fault], hosts, journal)
            await nemesis.setup()
            value = fault.choose(["n1", "n2"], Random(1), {})
            order = await fault.read(value)
            assert await fault.inject(order) == {}
            if isinstance(fault, Flapping):
                assert fault._loop is not None
                fault._loop.cancel()
            assert [await rules_of(host) for host in hosts] != before or fault.name == "packet-rate"
            journal.end()
            healed = await heal(tmp_path / "faults.jsonl", even_running=True)
            assert healed
            assert {one.outcome for one in healed} == {"undone"}
            assert [await rules_of(host) for host in hosts] == before
            assert [(await host.run(["tc", "qdisc", "show"])).text for host in hosts] == queues

    try:
        asyncio.run(scenario())
    except Unsupported as error:
        pytest.skip(str(error))


@SLOW
@pytest.mark.parametrize("tries", [5, 25])
def test_a_driver_that_is_killed_while_it_strikes_leaves_nothing_after_heal(
    tmp_path: Path, tries: int
) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    random = Random(seed)

    async def state_of(host: Host) -> str:
        queues = (await host.run(["tc", "qdisc", "show"])).text
        programs = "grep -alz 'at_most_[s]' /proc/[0-9]*/cmdline | wc -l"
        count = (await host.run(["sh", "-c", programs])).text
        return f"{await rules_of(host)}\n{queues}\n{count} programs"

    async def scenario() -> None:
        async with ssh_lab(3, directory=tmp_path / "lab") as lab, ssh(lab.lab_toml) as hosts:
            await with_foreign_rules(hosts)
            before = [await state_of(host) for host in hosts]
            kinds: Counter[str] = Counter()
            for number in range(tries):
                directory = tmp_path / str(number)
                directory.mkdir()
                with (directory / "driver.log").open("w") as log:
                    driver = subprocess.Popen(
                        [
                            *(sys.executable, str(DRIVER), str(directory)),
                            *(str(random.randrange(10**6)), str(lab.lab_toml)),
                        ],
                        env={**os.environ, "PYTHONPATH": str(DRIVER.parents[2])},
                        stdout=subprocess.PIPE,
                        stderr=log,
                    )
                try:
                    assert driver.stdout is not None
                    said = await asyncio.to_thread(driver.stdout.readline)
                    assert said == b"ready\n", (directory / "driver.log").read_text()
                    await asyncio.sleep(random.uniform(0, 3))  # the moment at which it dies
                finally:
                    driver.send_signal(signal.SIGKILL)
                    driver.wait()
                    assert driver.stdout is not None
                    driver.stdout.close()
                healed = await heal(directory)
                assert [one for one in healed if not one.settled] == []
                kinds += Counter(one.kind for one in healed)
                assert [await state_of(host) for host in hosts] == before
            print(f"healed: {dict(kinds)}")

    try:
        asyncio.run(scenario())
    except Unsupported as error:
        if error.host == "this machine":
            pytest.skip(str(error))
        raise


@SLOW
@pytest.mark.parametrize(
    "make",
    [
        lambda: PacketFault("packet-delay"),
        lambda: PacketFault("packet-corrupt"),
        lambda: PacketFault("packet-rate"),
        lambda: PacketFault("packet-loss"),
        lambda: Flapping("one"),
        ResetConnections,
        DnsFailure,
    ],
    ids=["delay", "corruption", "rate", "loss", "flapping", "reset", "dns"],
)
def test_on_hosts_over_ssh_the_driver_keeps_its_connection(
    tmp_path: Path, make: Callable[[], Fault]
) -> None:
    async def scenario() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with (
                ssh_lab(3, directory=tmp_path / "lab") as lab,
                ssh(lab.lab_toml, journal=journal) as hosts,
            ):
                before = await with_foreign_rules(hosts)
                fault = make()
                value = fault.choose([host.name for host in hosts], Random(3), {})
                async with struck(hosts, journal, fault, value) as (nemesis, done):
                    assert (done.type, done.error) == ("ok", None)
                    began = time.monotonic()
                    await asyncio.gather(*(host.run(["true"]) for host in hosts))
                    print(f"a command on each host took {time.monotonic() - began:.3f} s")
                    stopped = await nemesis.invoke(Op(f"stop-{fault.name}"))
                    assert (stopped.type, stopped.error) == ("ok", None)
                assert [await rules_of(host) for host in hosts] == before

    try:
        asyncio.run(scenario())
    except Unsupported as error:
        pytest.skip(str(error))
