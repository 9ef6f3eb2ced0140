"""docs/simulation-tutorial.md tells the truth: its register is broken, found, shrunk and mended."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "simulation-tutorial.md").read_text()
BROKEN, MENDED, TESTED = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SIM, REPLAY, SHRINK, AGAIN = re.findall(r"^    (momus .*)$", PAGE, re.MULTILINE)
READ = re.compile(r"    async def read\(self, told\):\n.*?(?=\n    async def )", re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "broken_register.py").write_text(BROKEN)
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command of the page, in a folder of one's own."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def momus(folder: Path, line: str, *more: str) -> tuple[int, str]:
    done = run(folder, *shlex.split(line), *more)
    assert not done.stderr or "momus:" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def with_seed(line: str, seed: str) -> str:
    return re.sub(r"--seed \d+", f"--seed {seed}", line)


def test_the_bug_is_found_replayed_and_shrunk(folder: Path) -> None:
    code, told = momus(folder, SIM, "-q", "-j", "1")
    assert code == 1
    line = re.search(r"momus replay .*", told)
    assert line is not None
    seed = line[0].rpartition(" ")[2]  # the page shows one that failed when it was written
    assert line[0] == with_seed(REPLAY, seed)
    code, told = momus(folder, line[0])
    assert code == 1
    assert "but no order of the operations allows that" in told
    code, told = momus(folder, with_seed(SHRINK, seed), "-q", "--time-limit", "4s")
    assert code == 0
    assert AGAIN in told
    code, told = momus(folder, AGAIN)
    assert code == 1
    assert "byte by byte the history that was recorded" in told


def test_once_mended_it_is_valid_in_a_test_of_ones_own(folder: Path) -> None:
    mended, count = READ.subn(MENDED.rstrip() + "\n", BROKEN)
    assert count == 1
    (folder / "broken_register.py").write_text(mended)
    (folder / "test_register.py").write_text(TESTED)
    done = run(folder, "pytest", "-q", "-p", "no:cacheprovider", "test_register.py")
    assert done.returncode == 0, done.stdout


def test_before_that_the_test_fails(folder: Path) -> None:
    (folder / "test_register.py").write_text(TESTED)
    done = run(folder, "pytest", "-q", "-p", "no:cacheprovider", "test_register.py")
    assert done.returncode == 1
    assert "no order explains" in done.stdout


def test_the_register_is_short() -> None:
    assert len(BROKEN.split("SYSTEM =")[0].split("class Register")[0].splitlines()) <= 70
