"""Kill drivers amid mixed faults and see what `momus heal` leaves on their hosts:
``python -m tests.soak.heals [KILLS] [SEED] [ssh|namespaces]``, from the repository.

On SSH hosts (network namespaces with an sshd each) rules, queues,
mounts and processes of somebody else are planted, and a fingerprint is taken of every host.
Then, over and over, a driver strikes with a sample of all faults there are, two at a time, at
a real etcd or (quicker, four times of five) at processes behind proxies that only sleep, and is
killed (SIGKILL) at a random moment, mostly within an injection or a healing.  In turns:

- `plain`: that is all;
- `sshd`: the sshds of some hosts are killed with it, sometimes with all that runs in their
  sessions, and started again; every other time `momus heal` first tries without them;
- `heal`: `momus heal` is killed halfway as well;
- `two`: a second driver strikes the same hosts; every other time it still does while the
  first one is healed.

After that ``momus heal`` must succeed and leave nothing open in any journal, and every host
must be as it was before: see `tests.lab.fingerprint` for what is compared.  In namespaces, which
end with their driver, nothing of a run may be left on this machine.

Takes about ten seconds a kill on a quiet machine; exits with 1 if anything was wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

from cluster import Host, ssh
from cluster._local import LocalHost
from cluster._sshlab import SshLab, ssh_lab, sshd_command
from momus._faults import KINDS
from tests.lab.deaths import Round, Variant, die_and_heal
from tests.lab.fingerprint import Fingerprint, await_as_before, fingerprint, fingerprints
from tests.lab.foreign import plant, quieten, uproot

NODES: Final = 3
VARIANTS: Final[Sequence[Variant]] = ("plain", "sshd", "heal", "two")


class Tally:
    """What the rounds came to."""

    def __init__(self) -> None:
        self.bad = 0
        self.rounds = 0
        self.last_steps: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()
        self.without: Counter[str] = Counter()
        self.healed = 0

    def add(self, told: Round) -> None:
        self.rounds += 1
        self.bad += bool(told.wrong)
        self.healed += told.healed
        self.last_steps.update(told.steps[-1:])
        self.struck.update(each for each in told.steps if each.startswith("inject "))
        self.without.update(told.without)
        print(f"{self.rounds:3}: {told}", *told.wrong, sep="\n     ", flush=True)

    def tell(self) -> None:
        """The sums."""
        never = set(KINDS) - {each.split()[1] for each in self.struck}
        print("injections begun:", dict(sorted(self.struck.items())))
        print("killed in or after:", dict(sorted(self.last_steps.items())))
        print("left out, since hosts cannot:", dict(sorted(self.without.items())))
        print("never struck:", ", ".join(sorted(never)) or "none")
        print(f"{self.healed} entries healed")
        print(f"{self.rounds - self.bad} passed, {self.bad} failed", flush=True)


async def on_ssh_hosts(kills: int, seed: int, top: Path) -> Tally:
    """Kill drivers of one lab; its hosts outlive them all."""
    tally, random = Tally(), Random(seed)
    async with contextlib.AsyncExitStack() as stack:
        lab = await stack.enter_async_context(ssh_lab(NODES, directory=top))
        await quieten(lab.hosts)
        hosts = await stack.enter_async_context(ssh(lab.lab_toml))
        await plant(hosts)
        try:
            before = await fingerprints(hosts, directories=[str(lab.lab_toml.parent)])
            for number in range(kills):
                variant = VARIANTS[number % len(VARIANTS)]
                tally.add(await one_on_ssh(lab, hosts, before, top / str(number), random, variant))
        finally:
            await uproot(hosts)
    return tally


async def one_on_ssh(
    lab: SshLab,
    hosts: Sequence[Host],
    before: dict[str, Fingerprint],
    directory: Path,
    random: Random,
    variant: Variant,
    system: str = "",
) -> Round:
    """One death on SSH hosts."""
    starts = [sshd_command(lab.lab_toml.parent, host.name) for host in hosts]
    told, runs = await die_and_heal(
        str(lab.lab_toml), directory, random, variant, lab.hosts, starts, system
    )
    tops = [str(lab.lab_toml.parent)]
    told.wrong += await await_as_before(before, hosts, directories=tops, marks=sorted(runs))
    return told


async def in_namespaces(kills: int, seed: int, top: Path) -> Tally:
    """Kill drivers whose hosts end with them; what is left would be left on this machine."""
    tally, random = Tally(), Random(seed)
    here = LocalHost("here", str(top))
    for number in range(kills):
        directory = top / str(number)
        variant = [each for each in VARIANTS if each != "sshd"][number % (len(VARIANTS) - 1)]
        told, runs = await die_and_heal("namespaces", directory, random, variant)
        told.wrong += await left_here(here, directory, sorted(runs))
        tally.add(told)
    return tally


async def left_here(here: Host, directory: Path, runs: Sequence[str]) -> list[str]:
    """What bears the name of these runs, or lies in this directory."""
    marks = [str(directory), *runs]
    now = await fingerprint(here, directories=[str(directory)], marks=marks)
    known = {"first", "second", "first/faults.jsonl", "second/faults.jsonl"}
    known |= {"first.log", "second.log"}
    listing = [each for each in now["listing"] if each not in known]
    rules = [
        f"{part}: {each}"
        for part in ("iptables", "ip6tables", "nft", "mounts", "processes")
        for each in now[part]
        if any(mark in each for mark in marks)
    ]
    return [f"left: {each}" for each in [*rules, *listing, *now["groups"]]]


def main(kills: int, seed: int, kind: str) -> int:
    """Kill `kills` drivers; 1 if anything was wrong."""
    print(f"{kills} kills, seed {seed}, {kind}", flush=True)
    play = {"ssh": on_ssh_hosts, "namespaces": in_namespaces}[kind]
    with tempfile.TemporaryDirectory(prefix="heals-") as top:
        tally = asyncio.run(play(kills, seed, Path(top)))
    tally.tell()
    return 1 if tally.bad else 0


if __name__ == "__main__":
    words = [*sys.argv[1:], *("100", "1", "ssh")[len(sys.argv) - 1 :]]
    sys.exit(main(int(words[0]), int(words[1]), words[2]))
