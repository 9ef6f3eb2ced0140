"""What becomes of packets between the nodes, measured by many numbered postcards.

`measure` runs the postcard program on every host at once.  The counts that come back are
judged by statistics, so the number of postcards is chosen by `postcards_for` such that chance
is no explanation:  with a fault that strikes each packet with probability p, and with a
network that by itself harms less than a twentieth of that, the share of struck postcards is
at least p/3 in the one case and less in the other; either is wrong with a probability below
`CHANCE`, as the exact tails of the binomial distribution say.  (For 20 % that takes some 300
postcards a link, for 1 % some 6000; less than 1 % would take minutes.)

Delays are told from clocks that need not agree: the clocks of two hosts differ by a constant
(nearly), so a link is late by what its least delay has grown since it was last intact, and
the sum over both directions does not depend on clocks at all.
"""

from __future__ import annotations

import asyncio
import json
import math
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cluster import Completed, Host
from nemesis import _postcard_program
from nemesis._debts import ask_each
from nemesis._links import PORTS, Addresses
from nemesis._programs import looker, probe_command
from nemesis.grudges import Link

CHANCE: Final = 1e-7
"""Of a wrong judgement of one link by one measurement; at most three are taken."""
NATURAL_SHARE: Final = 20
THRESHOLD_SHARE: Final = 3
PER_S: Final = 2000
"""Postcards that each node sends in a second."""
SIZE_BYTES: Final = 200
HEADERS_BYTES: Final = 28
HELLO_S: Final = 3.0
_PROGRAM: Final = looker(_postcard_program)


@dataclass(frozen=True)
class Traffic:
    """What to send: `count` postcards of `size_bytes` on every link, `per_s` in all per node.

    With `raw` spoilt ones are looked for, and with `dial` connections made, too.
    `linger_s` is how far postcards may fall behind others, `delay_s` how late all may come.
    """

    count: int
    size_bytes: int = SIZE_BYTES
    per_s: float = PER_S
    linger_s: float = 0.0
    delay_s: float = 0.0
    raw: bool = False
    dial: bool = False


@dataclass(frozen=True)
class Seen:
    """How the postcards of one link fared.

    `hole` is the most postcards in a row that are missing between two that arrived; `met`: the
    sender knew that somebody listens; `dialled` what became of a TCP connection ("answered",
    "reset", "silent").
    """

    sent: int
    sent_s: float
    got: int
    hole: int
    copies: int
    overtaken: int
    spoilt: int
    bytes: int
    span_ns: int
    least_ns: int | None
    spread_ns: int | None
    met: bool
    dialled: str | None
    boots: tuple[str, str]


def postcards_for(share: float) -> int:
    """How many postcards show a fault that strikes this share of packets."""
    assert 0 < share < 1
    count = max(10, math.ceil(10 / share))
    while (
        _tail_below(count, share, threshold(count, share)) > CHANCE
        or 1 - _tail_below(count, share / NATURAL_SHARE, threshold(count, share)) > CHANCE
    ):
        count = math.ceil(count * 1.05)
    return count


def threshold(count: int, share: float) -> int:
    """From how many struck postcards of `count` on the fault is in force."""
    return math.ceil(count * share / THRESHOLD_SHARE)


def _tail_below(count: int, share: float, limit: int) -> float:
    """The probability of fewer than `limit` hits in `count` independent tries."""
    log_hit, log_miss = math.log(share), math.log1p(-share)
    return min(
        1.0,
        math.fsum(
            math.exp(
                math.lgamma(count + 1)
                - math.lgamma(hits + 1)
                - math.lgamma(count - hits + 1)
                + hits * log_hit
                + (count - hits) * log_miss
            )
            for hits in range(limit)
        ),
    )


async def measure(
    hosts: Mapping[str, Host], addresses: Addresses, run: str, traffic: Traffic
) -> tuple[dict[Link, Seen], dict[str, str]]:
    """What was seen of every link whose ends could both be asked; and which hosts failed, why."""
    port = PORTS[zlib.crc32(run.encode()) % len(PORTS)]
    for _ in range(4):
        token = uuid.uuid4().hex
        told, failures, port_taken = await _ask(hosts, addresses, token, port, traffic)
        if not port_taken:
            break
        port = PORTS[(port - PORTS.start + 1) % len(PORTS)]
    links = {
        (source, node): _seen(told[source], told[node], source, node, traffic)
        for source in told
        for node in told
        if source != node
    }
    return links, failures


def _seen(
    sender: dict[str, Any], receiver: dict[str, Any], source: str, node: str, traffic: Traffic
) -> Seen:
    boots = (str(sender["boot"]), str(receiver["boot"]))
    return Seen(
        sent=traffic.count,
        sent_s=sender["sent_s"],
        met=node in sender["met"],
        dialled=sender["dialled"].get(node),
        boots=boots,
        **receiver["from"][source],
    )


async def _ask(
    hosts: Mapping[str, Host], addresses: Addresses, token: str, port: int, traffic: Traffic
) -> tuple[dict[str, dict[str, Any]], dict[str, str], bool]:
    peers_max = max(1, len(hosts) - 1)
    patience_s = traffic.linger_s + 2 * traffic.delay_s
    taking_s = 2 * HELLO_S + patience_s + peers_max * traffic.count / traffic.per_s

    async def one(host: Host) -> Completed:
        request = {
            "name": host.name,
            "token": token,
            "port": port,
            "peers": {peer: known[0] for peer, known in addresses[host.name].items()},
            "count": traffic.count,
            "size": traffic.size_bytes,
            "per_s": traffic.per_s,
            "hello_s": HELLO_S + 2 * traffic.delay_s,
            "linger_s": traffic.linger_s,
            "patience_s": patience_s,
            "raw": traffic.raw,
            "dial": traffic.dial,
        }
        argv = probe_command(host, request)
        return await host.run(
            argv, input=_PROGRAM, timeout_s=2 * taking_s + 20.0, check=False, sudo=traffic.raw
        )

    told: dict[str, dict[str, Any]] = {}
    failures: dict[str, str] = {}
    port_taken = False
    for name, answer in (await ask_each(hosts.values(), one)).items():
        if isinstance(answer, Exception):
            failures[name] = str(answer)
        elif answer.code == 0:
            told[name] = await asyncio.to_thread(json.loads, answer.stdout)
        else:
            port_taken |= answer.code == _postcard_program.PORT_TAKEN
            said = answer.stderr.decode("utf-8", "replace").strip()[-500:]
            failures[name] = f"{name}: the postcard program exited with {answer.code}: {said}"
    return told, failures, port_taken
