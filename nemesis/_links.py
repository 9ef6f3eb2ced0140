"""Which links of the network pass packets, seen from inside the hosts.

`heard` runs the probe program on every host at once; each tells whose postcards arrived,
so the answer is about single directions.  What was heard is proof that a link is open.
Silence alone proves nothing: the two programs may have missed each other on a busy
machine.  So a link counts as cut only if both its ends were seen to run at the same time
for a while, and silence where a postcard was expected is asked about again.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from cluster import Completed, Host, HostError
from nemesis import _probe_program
from nemesis._debts import ask_each
from nemesis._programs import looker, probe_command
from nemesis.grudges import Link

WINDOW_S: Final = 0.8
OVERLAP_S_MIN: Final = 0.3
ATTEMPTS_MAX: Final = 4
PORTS: Final = range(61_000, 65_000)
"""Above the range from which the kernel takes the local ports of outgoing connections."""

_PROGRAM: Final = looker(_probe_program)

Addresses: TypeAlias = Mapping[str, Mapping[str, tuple[str, ...]]]
"""For each node the addresses by which it knows each other node."""


@dataclass(frozen=True)
class _Told:
    heard: frozenset[str]
    began: float
    ended: float


async def link_states(
    hosts: Mapping[str, Host],
    addresses: Addresses,
    run: str,
    expected: Iterable[Link] = (),
) -> tuple[dict[Link, str], dict[str, str]]:
    """Every link between `hosts` as "open", "cut" or "unknown"; and which hosts failed, why.

    Links in `expected` are expected to be open, and asked about again while they are not.
    """
    states: dict[Link, str] = {
        (source, node): "unknown" for node in hosts for source in hosts if source != node
    }
    wanted = frozenset(expected)
    port = PORTS[zlib.crc32(run.encode()) % len(PORTS)]
    failures: dict[str, str] = {}
    for attempt in range(ATTEMPTS_MAX):
        window_s = WINDOW_S * 2**attempt
        token = uuid.uuid4().hex  # so that a belated postcard of another probe counts for nothing
        told, failures, port_taken = await _ask(hosts, addresses, token, port, window_s)
        if port_taken:
            port = PORTS[(port + 1) % len(PORTS)]
            continue
        for source, node in states:
            state = _judge(told.get(source), told.get(node), source)
            if state == "open" or states[source, node] == "unknown":
                states[source, node] = state
        settled = all(
            state != "unknown" or failures.keys() & set(link) for link, state in states.items()
        )
        missing = {link for link in wanted if states.get(link) == "cut"}
        # Ask again about what should be open; after the third time, silence is silence.
        if settled and (not missing or attempt > 1):
            break
    return states, failures


def _judge(source: _Told | None, destination: _Told | None, name: str) -> str:
    if destination is not None and name in destination.heard:
        return "open"
    if source is None or destination is None:
        return "unknown"
    together_s = min(source.ended, destination.ended) - max(source.began, destination.began)
    return "cut" if together_s >= OVERLAP_S_MIN else "unknown"


async def _ask(
    hosts: Mapping[str, Host], addresses: Addresses, token: str, port: int, window_s: float
) -> tuple[dict[str, _Told], dict[str, str], bool]:
    async def one(host: Host) -> tuple[Completed, float]:
        request = {
            "name": host.name,
            "token": token,
            "port": port,
            "seconds": window_s,
            "peers": {peer: known[0] for peer, known in addresses[host.name].items()},
        }
        argv = probe_command(host, request)
        done = await host.run(argv, input=_PROGRAM, timeout_s=window_s + 10.0, check=False)
        return done, time.monotonic()

    told: dict[str, _Told] = {}
    failures: dict[str, str] = {}
    port_taken = False
    for name, answer in (await ask_each(hosts.values(), one)).items():
        if isinstance(answer, Exception):
            failures[name] = str(answer)
            continue
        done, ended = answer
        if done.code == 0:
            report = json.loads(done.stdout)
            heard = frozenset(map(str, report["heard"]))
            told[name] = _Told(heard, ended - float(report["ran_s"]), ended)
        else:
            port_taken |= done.code == _probe_program.PORT_TAKEN
            said = done.stderr.decode("utf-8", "replace").strip()[-500:]
            failures[name] = f"{name}: the link probe exited with {done.code}: {said}"
    return told, failures, port_taken


async def resolve(hosts: Mapping[str, Host]) -> Addresses:
    """How each node knows the others; raises `HostError` where a name means nothing."""
    nodes = list(hosts.values())
    tables = await asyncio.gather(*(_resolve_on(host, nodes) for host in nodes))
    return {host.name: table for host, table in zip(nodes, tables, strict=True)}


async def _resolve_on(host: Host, nodes: list[Host]) -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for peer in nodes:
        if peer.name == host.name:
            continue
        if _is_literal(peer.address):
            table[peer.name] = (peer.address,)
            continue
        done = await host.run(["getent", "ahosts", peer.address], check=False)
        found = list(dict.fromkeys(line.split()[0] for line in done.text.splitlines() if line))
        if not found:
            raise HostError(
                host.name,
                f"does not know the name {peer.address!r} of node {peer.name}",
                "add it to /etc/hosts there, or give the node's IP address in lab.toml",
            )
        # IPv4 first: the probe uses the first address, the rules all of them.
        table[peer.name] = tuple(sorted(found, key=lambda address: ":" in address))
    return table


def _is_literal(address: str) -> bool:
    return ":" in address or address.replace(".", "").isdigit()
