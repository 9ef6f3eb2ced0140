"""Kill a run at random moments and see what is left: ``python tests/soak/kills.py [KILLS] [SEED]``.

Each time a real etcd is put under load and faults by a process of its own, which tells us
through a pipe what its recorder has taken and when.  It is killed (SIGKILL) at a random
moment, from before the lab stands to after the verdict.  Then:

- the history opens, and nothing taken more than 200 ms before the kill is missing;
- ``momus heal`` succeeds, and leaves no process, namespace or directory of ours;
- a second run starts cleanly and is valid.

Runs for about a quarter of a minute a kill; exits with 1 if anything was wrong.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from histories import Event, Store
from momus._judge import Request
from momus._plan import Plan
from momus._run import play_plan

REPOSITORY = Path(__file__).resolve().parents[2]
MAY_BE_MISSING_NS = 200_000_000
LIFE_S = 15.0
LOAD_S = 6.0
END_S = 10.0
COMMAND_TIMEOUT_S = 120.0


def play(store: str, seed: str, lab: str) -> None:
    """The victim: play a run, and tell of every recorded event on standard output."""

    def saw(event: Event) -> None:
        os.write(1, b"%d %d\n" % (event.index, time.monotonic_ns()))

    faults = ("kill", "pause") if lab == "local" else ("kill", "pause", "partition")
    plan = Plan(
        system="etcd",
        lab=lab,
        faults=faults,
        interval_s=1.0,
        time_limit_s=LOAD_S,
        op_timeout_s=1.0,
        seed=int(seed),
        store=Path(store),
    )
    play_plan(plan.settled(), Request(), quiet=True, on_event=saw)


def momus(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "momus", *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )


def environment(folder: Path) -> dict[str, str]:
    """Labs make their directories below `folder`, so that what is left can be told apart."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(folder)}


def kill_once(folder: Path, seed: int, lab: str, after_s: float) -> tuple[list[str], str]:
    """Kill one run `after_s` seconds after its start; what was wrong, and what happened."""
    victim = subprocess.Popen(
        [sys.executable, __file__, "--play", "store", str(seed), lab],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert victim.stdout is not None
    told: list[bytes] = []
    stdout = victim.stdout
    reader = threading.Thread(target=lambda: told.append(stdout.read()))
    reader.start()
    time.sleep(after_s)
    killed_ns = time.monotonic_ns()
    victim.kill()
    victim.wait(COMMAND_TIMEOUT_S)
    reader.join(COMMAND_TIMEOUT_S)
    taken = [tuple(map(int, line.split())) for line in told[0].splitlines()]
    wrong, state, events = history_of(folder, taken, killed_ns)
    wrong += healed(folder)
    wrong += second_run(folder)
    return wrong, f"{state}, {len(taken)} events taken, {events} kept"


def history_of(
    folder: Path, taken: list[tuple[int, ...]], killed_ns: int
) -> tuple[list[str], str, int]:
    """What is wrong with the history of the killed run, its state, and its length."""
    if not (folder / "store").exists() or not Store(folder / "store").runs():
        return (["events were taken, but there is no run"] if taken else []), "no run", 0
    run = Store(folder / "store").latest()
    names = ("history.jsonl", "history.parquet")
    if not any((run.path / name).exists() for name in names):
        return (["events were taken, but there is no history"] if taken else []), run.state, 0
    try:
        events = len(run.history())
    except Exception as error:
        return [f"the history does not open: {error}"], run.state, 0
    due = [index for index, at_ns in taken if at_ns < killed_ns - MAY_BE_MISSING_NS]
    missing = max(due, default=-1) + 1 - events
    wrong = [f"{missing} events are missing that were taken in time"] if missing > 0 else []
    return wrong, run.state, events


def healed(folder: Path) -> list[str]:
    """Heal; what is left of the killed run's processes and directories."""
    done = momus(folder, "heal", "--json") if (folder / "store").exists() else None
    wrong = []
    if done is not None and done.returncode != 0:
        wrong.append(f"heal exited with {done.returncode}: {done.stdout} {done.stderr}")
    deadline = time.monotonic() + END_S
    while (left := left_in(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return wrong + [f"left behind: {each}" for each in left]


def left_in(folder: Path) -> list[str]:
    """Processes that work below `folder`, and directories of labs."""
    found = [str(path) for path in folder.iterdir() if path.name != "store"]
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command and entry.parent.name != str(os.getpid()):
            found.append(f"process {entry.parent.name}: {command[:200]}")
    return found


def second_run(folder: Path) -> list[str]:
    """What is wrong with a run made right after."""
    done = momus(
        folder, "run", "etcd", "--time-limit", "0.5", "--faults", "none", "--json", "--quiet"
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        answer = {}
    fine = done.returncode == 0 and answer.get("valid") is True and not answer["troubles"]
    return [] if fine else [f"second run: {done.returncode}: {done.stdout} {done.stderr}"]


def main(kills: int, seed: int) -> int:
    """Kill `kills` runs; 1 if anything was wrong."""
    chance = random.Random(seed)
    print(f"{kills} kills, seed {seed}")
    bad = 0
    for number in range(kills):
        lab = ("namespaces", "local")[number % 2]
        after_s = chance.uniform(0, LIFE_S)
        with tempfile.TemporaryDirectory(prefix="momus-soak-") as folder:
            wrong, what = kill_once(Path(folder), seed + number, lab, after_s)
        bad += bool(wrong)
        print(f"{number + 1:3}: {lab}, killed after {after_s:.2f} s: {what}", *wrong, sep="\n     ")
        sys.stdout.flush()
    print(f"{kills - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--play"]:
        play(*sys.argv[2:])
    else:
        chosen = [int(word) for word in sys.argv[1:]]
        sys.exit(main(chosen[0] if chosen else 50, chosen[1] if len(chosen) > 1 else 1))
