"""How drivers and hosts' sshds die: the moments, the victims, and what must be left then.

`Round` is one death: drivers at work, killed at a seeded moment, and `momus heal` after it.
``tests/soak/heals.py`` plays a hundred of them, and the suite a few.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, Literal

from cluster import Host, Journal

REPOSITORY: Final = Path(__file__).parents[2]
_PYTHON_M: Final = (sys.executable, "-m")
MARK: Final = "MOMUS_TEST_OF_A_DEAD_DRIVER"
READY_TIMEOUT_S: Final = 90.0
COMMAND_TIMEOUT_S: Final = 180.0
ANY_MOMENT_S: Final = 12.0
STEPS_MAX: Final = 5
WITHIN_STEP_S: Final = 0.4
HEAL_S: Final = 2.5

Variant = Literal["plain", "sshd", "heal", "two"]
"""What dies besides the driver: nothing, sshds, `momus heal` halfway, a second driver."""

# Run on the host: SIGKILL for its sshd, the sessions and, with "all", what runs in them.
KILL_SSHD: Final = b"""
import os, signal, sys
def text(pid, name):
    try:
        with open("/proc/%s/%s" % (pid, name), encoding="utf-8", errors="replace") as file:
            return file.read().replace("\\0", " ")
    except OSError:
        return ""
def parent(pid):
    stat = text(pid, "stat")
    return stat[stat.rindex(")") + 2:].split()[1] if ")" in stat else "0"
def network(pid):
    try:
        return os.stat("/proc/%s/ns/net" % pid).st_ino
    except OSError:
        return 0
here = network("self")
pids = [p for p in os.listdir("/proc") if p.isdigit() and network(p) == here]
doomed = {p for p in pids if text(p, "comm").startswith("sshd")}
for _ in range(len(pids) if sys.argv[1] == "all" else 0):
    doomed |= {p for p in pids if parent(p) in doomed}
for pid in sorted(doomed - {str(os.getpid())}, key=int):
    try:
        os.kill(int(pid), signal.SIGKILL)
    except ProcessLookupError:
        pass
print(len(doomed))
"""


class Driver:
    """A driver at work, whose lines are heard; `directory` holds its journal and its log."""

    def __init__(self, where: str, directory: Path, seed: int, system: str) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        self.said: list[str] = []
        self._heard = threading.Condition()
        with (directory.parent / f"{directory.name}.log").open("w") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.lab.driver",
                    where,
                    str(directory),
                    str(seed),
                    system,
                ],
                cwd=REPOSITORY,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY), MARK: str(directory)},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._heard:
                self.said.append(line.strip())
                self._heard.notify_all()
        with self._heard:
            self.said.append("")
            self._heard.notify_all()

    @property
    def steps(self) -> list[str]:
        """The injections and healings that have begun."""
        return [line for line in self.said if line.startswith(("inject ", "heal "))]

    def await_step(self, number: int) -> bool:
        """Wait until so many steps have begun (0: the driver is ready); False if it ended."""
        with self._heard:
            self._heard.wait_for(
                lambda: (
                    self.said[-1:] == [""] or (len(self.steps) >= number and "ready" in self.said)
                ),
                READY_TIMEOUT_S,
            )
            return "" not in self.said and len(self.steps) >= number and "ready" in self.said

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def runs(self) -> set[str]:
        """The runs in its journal."""
        path = self.directory / "faults.jsonl"
        return {entry.run for entry in Journal.entries(path)} if path.exists() else set()

    def open_entries(self) -> list[str]:
        """What its journal says has not been undone."""
        path = self.directory / "faults.jsonl"
        entries = Journal.open_entries(path) if path.exists() else []
        return [f"{entry.kind} on {entry.host.get('name')}" for entry in entries]


@dataclass
class Moment:
    """When to kill: `after_s` after the start, or after the beginning of step `step`."""

    after_s: float
    step: int | None = None

    @classmethod
    def drawn(cls, random: Random) -> Moment:
        """Three of ten fall anywhere, the others into a step or just behind it."""
        if random.random() < 0.3:
            return cls(random.uniform(0, ANY_MOMENT_S))
        return cls(random.uniform(0, WITHIN_STEP_S), random.randint(1, STEPS_MAX))

    def await_in(self, driver: Driver) -> str:
        """Wait for it; what is wrong with the driver, or ""."""
        if self.step is not None and not driver.await_step(self.step):
            log = driver.directory.parent / f"{driver.directory.name}.log"
            return f"the driver never got to step {self.step}: {log.read_text()[-2000:]}"
        time.sleep(self.after_s)  # the moment at which it dies, not a wait
        return ""

    def __str__(self) -> str:
        where = "the start" if self.step is None else f"step {self.step}"
        return f"{self.after_s:.2f} s after {where}"


@dataclass
class Round:
    """One death and what came of it."""

    variant: Variant
    system: str
    moment: str = ""
    steps: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    healed: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        last = self.steps[-1] if self.steps else "no step"
        return (
            f"{self.variant}, {self.system}, killed {self.moment}, in or after {last} "
            f"({len(self.steps)} steps), {self.healed} entries healed"
        )


async def die_and_heal(
    where: str,
    directory: Path,
    random: Random,
    variant: Variant,
    below: Sequence[Host] = (),
    restart_sshd: Sequence[Sequence[str]] = (),
    system: str = "",
) -> tuple[Round, set[str]]:
    """Let drivers work, kill them, heal; the round, and the runs whose traces must be gone.

    `below` are SSH hosts as seen from outside, with the command that starts each one's sshd;
    `system` is what the first driver strikes, if that is not to be drawn.
    """
    system = system or random.choices(["etcd", "fronted"], [1, 4])[0]
    drivers = [Driver(where, directory / "first", random.randrange(10**6), system)]
    if variant == "two":
        drivers.append(Driver(where, directory / "second", random.randrange(10**6), "bare"))
    told = Round(variant, system)
    try:
        moment = Moment.drawn(random)
        told.moment = str(moment)
        trouble = await asyncio.to_thread(moment.await_in, drivers[0])
        if trouble:
            told.wrong.append(trouble)
        if variant == "sshd":
            await _lose_sshds(told, drivers[0], directory, random, below, restart_sshd)
        drivers[0].kill()
        if variant == "two" and random.random() < 0.5:
            await heal_once(told, directory / "first")  # while the second works on
            await asyncio.sleep(random.uniform(0, 2))
        if variant == "heal":
            healer = _healer(directory)
            await asyncio.sleep(random.uniform(0, HEAL_S))  # the moment at which it dies
            healer.kill()
            healer.communicate()
    finally:
        for driver in drivers:
            driver.kill()
    for driver in drivers:
        told.steps += driver.steps
        told.without += [line.split()[1] for line in driver.said if line.startswith("without ")]
    runs = set().union(*(driver.runs for driver in drivers))
    await heal_once(told, directory)
    for driver in drivers:
        told.wrong += [f"still open: {each}" for each in driver.open_entries()]
    deadline = time.monotonic() + 10
    while (left := _processes_of(directory)) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    told.wrong += [f"process left: {each}" for each in left]
    return told, runs


async def heal_once(told: Round, directory: Path) -> None:
    """`momus heal`, which must succeed."""
    code, said = await _heal(directory)
    told.healed += sum(line.startswith(("undone", "gone")) for line in said.splitlines())
    if code != 0:
        told.wrong.append(f"heal exited with {code}: {said}")


async def _lose_sshds(
    told: Round,
    driver: Driver,
    directory: Path,
    random: Random,
    below: Sequence[Host],
    restart: Sequence[Sequence[str]],
) -> None:
    """Kill sshds along with the driver, perhaps heal without them, and start them again."""
    lost = random.sample(range(len(below)), random.randint(1, len(below)))
    how = random.choice(["sessions", "all"])
    told.moment += f", with sshd of {len(lost)} hosts ({how})"
    for number in lost:
        await below[number].run(["python3", "-I", "-S", "-", how], input=KILL_SSHD)
    driver.kill()
    if random.random() < 0.5:
        await _heal(directory)  # which cannot reach them all
    for number in lost:
        script = 'setsid "$@" >/dev/null 2>&1 </dev/null &'
        await below[number].run(["sh", "-c", script, "sshd", *restart[number]])
    for number in lost:
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(OSError):
                    (await below[number].dial(22)).close()
                    break
                await asyncio.sleep(0.05)


def _healer(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*_PYTHON_M, "momus", "heal", str(directory)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


async def _heal(directory: Path) -> tuple[int, str]:
    healer = _healer(directory)
    try:
        said, _ = await asyncio.to_thread(healer.communicate, timeout=COMMAND_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        healer.kill()
        said, _ = healer.communicate()
        return -1, f"heal hung: {said}"
    return healer.returncode, said


def _processes_of(directory: Path) -> list[str]:
    """What still runs of all that was started under the drivers, wherever it went."""
    mark = f"{MARK}={directory}/".encode()
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                found.append(f"{entry.name}: {command.decode(errors='replace')}")
    return found
