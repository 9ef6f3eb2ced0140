"""Have members of etcd 3.5.1 diverge: ``python -m tests.soak.diverge [CAMPAIGNS] [SEED] [LOAD]``.

A campaign is up to five tries of 20 s in which members are killed at random under 24 writers
(see `tests.invariants.diverging`), and ends with the first after which the convergence checker
names members that stay different.  Then come two tries without kills, after which it must not.
LOAD is `guarded` (the default) or `plain`, for comparison.  A fourth word is another program.

A try takes about half a minute; exits with 1 if a campaign named nobody, or a try without kills
did.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Final

from checker import invariants
from tests.invariants.diverging import WITHIN_S, Load, play

TRIES: Final = 5
CONTROLS: Final = 2
SECONDS: Final = 20.0


def attempt(top: Path, seed: int, load: Load, binary: Path | None, *, kills: bool) -> bool:
    """Whether members were named after one try."""
    with tempfile.TemporaryDirectory(dir=top) as directory:
        played = asyncio.run(
            play(Path(directory), seconds=SECONDS, seed=seed, load=load, kills=kills, binary=binary)
        )
    verdict = invariants.convergence(within_s=WITHIN_S).check(played.history)
    print(f"  seed {seed}: {played.writes} writes, {played.kills} kills: {verdict.valid}")
    for sentence in verdict.details["broken"]:
        print(f"    {sentence}", flush=True)
    return verdict.valid is False


def main(campaigns: int, seed: int, load: Load, binary: Path | None) -> int:
    print(f"{campaigns} campaigns, seed {seed}, {load} load", flush=True)
    needed: list[int | None] = []
    with tempfile.TemporaryDirectory(prefix="diverge-") as name:
        top = Path(name)
        for number in range(campaigns):
            seeds = range(seed + number * TRIES, seed + (number + 1) * TRIES)
            found = (attempt(top, each, load, binary, kills=True) for each in seeds)
            needed.append(next((count for count, bad in enumerate(found, 1) if bad), None))
            print(f"campaign {number + 1}: named in try {needed[-1] or 'none'}", flush=True)
        wrong = [attempt(top, seed + each, load, binary, kills=False) for each in range(CONTROLS)]
    print(f"tries until named: {needed}; named without kills: {sum(wrong)} of {CONTROLS}")
    return 1 if None in needed or any(wrong) else 0


if __name__ == "__main__":
    words = sys.argv[1:]
    chosen: Load = "plain" if words[2:3] == ["plain"] else "guarded"
    numbers = [int(word) for word in words[:2]]
    other = Path(words[3]) if len(words) > 3 else None
    sys.exit(
        main(numbers[0] if numbers else 1, numbers[1] if len(numbers) > 1 else 1, chosen, other)
    )
