"""``make fuzz``: build the targets, and let each look for trouble for its share of the time.

    python engine/fuzz/fuzz.py --seconds 3600             all targets, an hour in total
    python engine/fuzz/fuzz.py --seconds 60 jsonl edn     some of them

libFuzzer mutates inputs, and keeps those that reach new branches of the engine; so a stable
toolchain has to compile a counter into every branch, and that is all the flags below do.  The
engine is safe Rust, so a panic is the worst that can happen, and the sanitizers that need a
nightly toolchain have nothing to find.

Inputs that reached something new are kept in `corpus/` (not in the repository; the few in
`seeds/` are, to start from).  An input that broke something is kept in `findings/`, and the
exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parent
_COVERAGE: Final = (
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
)
_INPUT_SECONDS_MAX: Final = 10
"""An input that keeps a target busy for longer is a hang."""
_INPUT_BYTES_MAX: Final = 4096
_STATISTIC: Final = re.compile(r"stat::(\w+):\s+(\d+)")


def targets() -> list[str]:
    """The names of all targets."""
    return sorted(path.stem for path in (_HERE / "targets").glob("*.rs"))


def build() -> Path:
    """Compile the targets; answers the folder with the executables."""
    host = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    triple = re.search(r"^host: (.+)$", host, re.MULTILINE)
    assert triple, "rustc names its host"
    # With --target the flags are not those of build scripts, which need no counters.
    flags = " ".join(["--cfg fuzzing", *_COVERAGE])
    target = os.environ.get("CARGO_TARGET_DIR", str(_HERE / "target"))
    subprocess.run(
        ["cargo", "build", "--release", "--locked", "--target", triple[1], "--target-dir", target],
        cwd=_HERE, env={**os.environ, "RUSTFLAGS": flags}, check=True,
    )  # fmt: skip
    return Path(target) / triple[1] / "release"


def fuzz(executable: Path, seconds: int, corpus: Path) -> int:
    """Run one target; answers its exit code, 0 if it found nothing."""
    name = executable.name
    own, findings = corpus / name, _HERE / "findings" / name
    own.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    argv = [
        str(executable), str(own), str(_HERE / "seeds" / name),
        f"-max_total_time={seconds}", f"-timeout={_INPUT_SECONDS_MAX}",
        f"-max_len={_INPUT_BYTES_MAX}", f"-artifact_prefix={findings}/",
        "-rss_limit_mb=2048", "-use_value_profile=1", "-print_final_stats=1",
    ]  # fmt: skip
    words = _HERE / "words" / f"{name}.dict"
    if words.exists():
        argv.append(f"-dict={words}")
    done = subprocess.run(argv, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    said = dict(_STATISTIC.findall(done.stderr))
    rate = f"{int(said.get('number_of_executed_units', 0)):,} inputs in {seconds} s"
    kept = sum(1 for _ in own.iterdir())
    print(f"{name:10} {rate}, {kept:,} kept, exit code {done.returncode}", flush=True)
    if done.returncode:
        print("\n".join(done.stderr.splitlines()[-40:]), file=sys.stderr)
    return done.returncode


def main() -> int:
    """Fuzz the targets one after the other."""
    options = argparse.ArgumentParser(
        prog="fuzz.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(targets()))
    options.add_argument("--seconds", type=int, default=600, help="in total (default: 600)")
    options.add_argument("--corpus", type=Path, default=_HERE / "corpus", metavar="DIR")
    o = options.parse_args()
    chosen = o.targets or targets()
    unknown = sorted(set(chosen) - set(targets()))
    if unknown:
        options.error(f"no target {', '.join(unknown)}; there are {', '.join(targets())}")
    folder = build()
    share = max(1, o.seconds // len(chosen))
    return int(any([fuzz(folder / name, share, o.corpus) for name in chosen]))


if __name__ == "__main__":
    sys.exit(main())
