"""``make bench``: measure every row in one run, print the table, keep it in docs/benchmarks.md.

    python -m bench                     everything, about ten minutes, 10 GiB for Porcupine
    python -m bench --quick             every history a tenth as long; nothing is kept
    python -m bench --only etcd-logs    some rows; nothing is kept

Exit code 0 when everything was measured and both checkers agree, 1 when they do not, 4
when the benchmark itself broke.  A missed promise is marked in the table, not an error.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

from bench.contest import BenchError, Contest, build_porcupine
from bench.rows import ROWS, Bench, Row
from bench.table import document, tables

_KEPT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
_QUICK_SCALE = 10


def main() -> int:
    """Measure and tell."""
    options = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--quick", action="store_true", help="every history a tenth as long")
    options.add_argument("--only", nargs="+", choices=ROWS, metavar="ROW", help=", ".join(ROWS))
    options.add_argument("--repeat", type=int, default=3, metavar="N", help="fresh processes each")
    options.add_argument("--histories", type=Path, metavar="DIR", help="keep the histories here")
    o = options.parse_args()
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        directory = o.histories or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        try:
            contest = Contest(directory, build_porcupine(directory))
            bench = Bench(contest, _QUICK_SCALE if o.quick else 1, o.repeat)
            for name in o.only or ROWS:
                print(f"measuring {name} ...", file=sys.stderr, flush=True)
                rows += ROWS[name](bench)
        except BenchError as error:
            print(error, file=sys.stderr)
            return 4
    print("\n".join(tables(rows, judged=not o.quick)))
    if not o.quick and not o.only:
        _KEPT.write_text(document(rows))
        print(f"\nkept in {_KEPT}")
    return int(any("VERDICTS DIFFER" in note for row in rows for note in row.notes))


if __name__ == "__main__":
    sys.exit(main())
