"""How often the scenarios of a simulated system find its bugs; the table of docs/raftkv.md.

    python -m bench.bugs raftkv                          every bug, hours of processor time
    python -m bench.bugs raftkv --bug no-dedup-on-retry  only this; may be repeated
    python -m bench.bugs raftkv --seeds 20 --every       by every scenario, not only by its own

A row says with which seed a scenario finds a bug first, in how many of the seeds it does, and by
whom of those that the bug names.  A run in which only others complain has not found it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from simulation import Bug, Players, Result, cases_of, system_of
from simulation._audit import finds

HEADER = """\
| bug | scenario | first seed | found in | by |
| --- | --- | --- | --- | --- |"""


def main() -> int:
    """Play, and print a row as soon as it is certain."""
    options = argparse.ArgumentParser(
        prog="python -m bench.bugs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("system", metavar="SYSTEM")
    options.add_argument("--seeds", type=int, default=200, metavar="N", help="0 to N - 1 (200)")
    options.add_argument("--bug", action="append", metavar="NAME", help="only this")
    options.add_argument("--every", action="store_true", help="by every scenario")
    options.add_argument("--jobs", type=int, metavar="N", help="processes; default: the cores")
    o = options.parse_args()
    system = system_of(o.system)
    for name in o.bug or ():
        if name not in system.bugs:
            options.error(f"{o.system} has no bug {name}; it has {', '.join(system.bugs)}")
    print(HEADER, flush=True)
    with Players(o.jobs) as players:
        for bug in map(system.bugs.__getitem__, o.bug or system.bugs):
            for scene in bug.scenarios if bug.scenarios and not o.every else system.scenarios:
                cases = list(cases_of(o.system, system, [scene], [bug.name], range(o.seeds)))
                results = list(players.results(cases))
                print(row(bug, scene, results), flush=True)
                for each in results:
                    if each.ending in ("hung", "broke"):
                        print(f"{each.case} {each.ending}: {each.sentence}", file=sys.stderr)
    return 0


def row(bug: Bug, scene: str, results: Sequence[Result]) -> str:
    """The row of these runs of one scenario."""
    found = sorted((r for r in results if finds(bug, r)), key=lambda result: result.case.seed)
    seed, who = "-", "nobody"
    if found:
        said = dict.fromkeys(cause.checker for cause in found[0].causes)
        seed = str(found[0].case.seed)
        who = ", ".join(each for each in said if each in (bug.checkers or said))
    return f"| `{bug.name}` | `{scene}` | {seed} | {len(found)} of {len(results)} | {who} |"


if __name__ == "__main__":
    sys.exit(main())
