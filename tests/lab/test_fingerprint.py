"""The fingerprint of a host sees what faults could leave behind, and nothing that is not there."""

from __future__ import annotations

from typing import Final

from tests.lab.conftest import Stage
from tests.lab.fingerprint import differences, fingerprint

LEFTOVERS: Final = {
    "a packet filter rule": (
        "iptables -w -A INPUT -s 192.0.2.7 -j DROP",
        "iptables -w -D INPUT -s 192.0.2.7 -j DROP; nft delete table ip filter",
        "iptables: new: -A INPUT -s 192.0.2.7/32 -j DROP",
    ),
    "a table of nft": (
        "nft add table inet momus_left",
        "nft delete table inet momus_left",
        "nft: new: table inet momus_left {",
    ),
    "a routing rule": (
        "ip rule add to 192.0.2.7 priority 99 blackhole",
        "ip rule del to 192.0.2.7 priority 99 blackhole",
        "rules: new: 99:",
    ),
    "a route": (
        "ip route add blackhole 192.0.2.7 table 99",
        "ip route del blackhole 192.0.2.7 table 99",
        "routes: new: blackhole 192.0.2.7 table 99",
    ),
    "a queueing discipline": (
        "tc qdisc add dev eth0 root handle 7: pfifo limit 10",
        "tc qdisc del dev eth0 root",
        "queues qdisc: new: qdisc pfifo 7: dev eth0 root",
    ),
    "a device": (
        "ip link add left0 type bridge",
        "ip link del left0",
        "links: new: left0:",
    ),
    "a smaller device": ("ip link set eth0 mtu 1400", "ip link set eth0 mtu 1500", "mtu 1400"),
    "a mount": (
        "mount -t tmpfs left /mnt",
        "umount /mnt",
        "mounts: new: / /mnt",
    ),
    "a process": (
        "setsid sleep 7654 >/dev/null 2>&1 </dev/null &",
        "pkill -xf 'sleep 7654'",
        "processes: new: sleep 7654 | running",
    ),
    "a setting of the kernel": (
        "echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all",
        "echo 0 > /proc/sys/net/ipv4/icmp_echo_ignore_all",
        "system /proc/sys/net/ipv4/icmp_echo_ignore_all: was '0', is '1'",
    ),
    "a file": ("touch left", "rm left", "listing: new: left"),
    "another file in place of one": (
        "cp -p /etc/hosts hosts && echo 192.0.2.7 n9 >> hosts && mount --bind hosts /etc/hosts",
        "umount /etc/hosts; rm hosts",
        "files /etc/hosts: was",
    ),
}
"""What is left, how it comes there, how it goes, and what the comparison says of it."""


def test_what_is_left_behind_is_seen_and_its_going_too(stage: Stage) -> None:
    host = stage.hosts[0]

    async def look() -> dict[str, object]:
        return dict(await fingerprint(host, directories=[host.directory]))

    async def run(command: str) -> None:
        await host.run(["sh", "-c", f'cd "$1"; {command}', "leave", host.directory])

    async def scenario() -> None:
        before = await look()
        try:
            for make, _, _ in LEFTOVERS.values():
                await run(make)
            during = await look()
        finally:
            for _, undo, _ in LEFTOVERS.values():
                await run(undo)
        told = differences(before, during)
        unseen = [what for what, (_, _, seen) in LEFTOVERS.items() if seen not in "\n".join(told)]
        assert unseen == [], told
        assert differences(before, await look()) == []

    stage.run(scenario())


def test_a_clock_that_was_set_is_seen_and_the_time_of_messages_is_not() -> None:
    clock = {"tick": 10000, "frequency": 0.0, "offsets": None}
    honest = {"clock": {**clock, "least_ms": -3.0, "most_ms": 4.0}}
    slow_to_tell = {"clock": {**clock, "least_ms": -400.0, "most_ms": 900.0}}
    ahead = {"clock": {**clock, "least_ms": 996.0, "most_ms": 1003.0}}
    drifting = {"clock": {**clock, "tick": 10100, "least_ms": 0.0, "most_ms": 1.0}}
    assert differences(honest, slow_to_tell) == []
    assert differences(honest, ahead) == ["clock: it was set, by 992 ms or more"]
    assert differences(honest, drifting) == ["clock tick: was 10000, is 10100"]
