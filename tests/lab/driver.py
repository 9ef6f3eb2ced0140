"""A driver to be killed: mixed faults, as fast as it can, until somebody ends it.

``python -m tests.lab.driver WHERE DIRECTORY SEED SYSTEM``: WHERE is a lab file, or the word
``namespaces``; SYSTEM is ``etcd``, or processes that only sleep: ``fronted`` by proxies, or
``bare`` for a second driver on the same hosts, where the ports of proxies are taken.  A seeded
sample of the table of faults strikes; two orders are always under way.  Each line on standard
output tells what begins: ``ready``, ``inject kill``, ``heal pause``; and ``without X`` what
these hosts cannot do.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from cluster import Host, HostError, Journal, Unsupported, namespaces, ssh
from histories import Json, Op
from momus._assembly import system_of
from momus._faults import KINDS
from momus._plan import Plan
from nemesis import Fault, Nemesis, targets
from tests.lab.sleepers import Sleepers

NODES: Final = 3
SAMPLE: Final = 5
WORKERS: Final = 2
TARGETS: Final = (targets.one, targets.minority, targets.majority, targets.all)


def say(*words: str) -> None:
    print(*words, flush=True)


def system_for(word: str, kinds: Sequence[str], seed: int) -> Any:
    """The system under test; its program is used where it lies, for all hosts have our files."""
    if word != "etcd":
        return Sleepers(fronted=word == "fronted")
    plan = Plan("etcd", nodes=NODES, faults=tuple(kinds), seed=seed).settled()
    system: Any = system_of(plan)

    async def install(host: Host) -> None:
        system._programs[host.name] = [str(each.absolute()) for each in system._binaries]

    system.install = install
    return system


@contextlib.asynccontextmanager
async def hosts_at(
    where: str, directory: Path, journal: Journal
) -> AsyncIterator[tuple[Host, ...]]:
    made: Any
    if where == "namespaces":
        made = namespaces(NODES, directory=directory, journal=journal)
    else:
        made = ssh(where, journal=journal)
    async with made as hosts:
        yield tuple(hosts)


def telling(fault: Any) -> Fault:
    """The fault, which says when it begins to inject and to heal."""
    inject, heal = fault.inject, fault.heal

    async def told_inject(order: Any) -> dict[str, str]:
        say("inject", fault.name)
        answer: dict[str, str] = await inject(order)
        return answer

    async def told_heal() -> dict[str, str]:
        say("heal", fault.name)
        answer: dict[str, str] = await heal()
        return answer

    fault.inject, fault.heal = told_inject, told_heal
    found: Fault = fault
    return found


def order_of(fault: Fault, nodes: Sequence[str], random: Random) -> Json:
    """What the fault chooses; less memory than usual, which many labs here may share."""
    order = fault.choose(nodes, random, {})
    return {**order, "attributes": {"megabytes": 64}} if fault.name == "memory-balloon" else order


async def strike(
    faults: Sequence[tuple[Fault, Nemesis]],
    nodes: Sequence[str],
    random: Random,
    lanes: Mapping[str, asyncio.Lock],
) -> None:
    """Order at random, for ever; as in every schedule, faults of one lane never overlap."""
    while faults:
        fault, nemesis = random.choice(faults)
        if random.random() < 0.5:
            order = Op(f"start-{fault.name}", order_of(fault, nodes, random))
        else:
            order = Op(f"stop-{fault.name}")
        async with lanes[fault.lane]:
            done = await nemesis.invoke(order)
        print(order.f, done.type, done.error, file=sys.stderr, flush=True)


async def main(where: str, directory: Path, seed: int, word: str) -> None:
    random = Random(seed)
    possible = [name for name, kind in KINDS.items() if not kind.versions]
    kinds = random.sample(possible, min(SAMPLE, len(possible)))
    with Journal(directory / "faults.jsonl") as journal:
        async with hosts_at(where, directory, journal) as hosts:
            system = system_for(word, kinds, seed)
            await system.setup(hosts)
            ready: list[tuple[Fault, Nemesis]] = []
            for kind in kinds:
                try:
                    fault = telling(KINDS[kind].make(system, random.choice(TARGETS)))
                    nemesis = Nemesis([fault], hosts, journal)
                    await nemesis.setup()
                except (Unsupported, HostError, TypeError, AttributeError) as error:
                    say("without", kind)
                    print(f"without {kind}: {error}", file=sys.stderr, flush=True)
                else:
                    ready.append((fault, nemesis))
            say("ready")
            nodes = [host.name for host in hosts]
            lanes: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
            work = (strike(ready, nodes, random, lanes) for _ in range(WORKERS))
            await asyncio.gather(*work)
            await asyncio.Event().wait()  # nothing can be struck here: wait for the end


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
