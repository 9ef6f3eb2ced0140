"""A fault strikes hosts that somebody else has set up, and might leave traces there."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

import pytest

from cluster import Host, Journal, Unsupported
from histories import Json, Op
from nemesis import Fault, Nemesis

FOREIGN: Final = (
    "iptables -w -N MOMUS",
    "iptables -w -A MOMUS -s 192.0.2.7 -j DROP",
    "iptables -w -A INPUT -s 192.0.2.8 -m comment --comment momus:somebody-else -j ACCEPT",
    "iptables -w -A INPUT -j MOMUS",
    "iptables -w -A OUTPUT -p udp --dport 5353 -j ACCEPT",
    "ip6tables -w -A INPUT -s 2001:db8::9 -j DROP",
    "ip6tables -w -A OUTPUT -p udp --dport 5353 -j ACCEPT",
    "nft add table inet momus",
    "nft add chain inet momus input { type filter hook input priority 0 ; policy accept ; }",
    "nft add rule inet momus input ip saddr 192.0.2.9 drop",
    "ip rule add to 192.0.2.10 priority 77 blackhole",
)
"""What an administrator may have set up before: none of it is ours to touch."""


async def rules_of(host: Host) -> str:
    """Every packet filter rule and routing rule, without packet counts."""
    tables = await host.run(["nft", "-s", "list", "ruleset"])
    routing = await host.run(["ip", "rule", "show"])
    return f"{tables.text}\n{routing.text}"


async def with_foreign_rules(hosts: Sequence[Host]) -> list[str]:
    """Set them up on all hosts; the `rules_of` each."""
    for host in hosts:
        for rule in FOREIGN:
            await host.run(rule.split())
    return [await rules_of(host) for host in hosts]


@contextlib.asynccontextmanager
async def struck(
    hosts: Sequence[Host], journal: Journal, fault: Fault, value: Json, *, must: bool = False
) -> AsyncIterator[tuple[Nemesis, Op]]:
    """A fault in force: its nemesis, and what its start told; afterwards all is healed.

    Where hosts cannot have it the test is skipped, unless they `must`.
    """
    nemesis = Nemesis([fault], hosts, journal)
    try:
        await nemesis.setup()
    except Unsupported as error:
        if must:
            raise
        pytest.skip(str(error))
    try:
        yield nemesis, await nemesis.invoke(Op(f"start-{fault.name}", value))
    finally:
        await nemesis.teardown()
