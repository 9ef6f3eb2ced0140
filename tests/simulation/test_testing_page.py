"""docs/testing.md tells the truth: its tests can be run, and pass."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from simulation import campaign, system_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text()
SIMULATED, REAL = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
IMPORTS = "import momus\n"


@pytest.mark.parametrize("text", [SIMULATED, IMPORTS + REAL], ids=["simulated", "real"])
def test_the_tests_of_the_page_pass(text: str, tmp_path: Path) -> None:
    (tmp_path / "test_page.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_page.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d (passed|skipped)", done.stdout)


def test_what_a_campaign_explains_stands_on_the_page() -> None:
    told = re.search(r"^    raftkv: of .*?^$", PAGE, re.MULTILINE | re.DOTALL)
    assert told is not None
    bug = "migrating-in-accepts-write"
    found = campaign(system_of("raftkv"), scenarios=["rebalance"], bug=bug, seeds=range(1))
    assert without_numbers(told[0]) == without_numbers(found.explained())
    assert f"--bug {bug} --seed 0" in told[0]


def without_numbers(text: str) -> list[str]:
    """The lines; which moment and node it was depends on the system's every step."""
    return [re.sub(r"\d+(\.\d+)?", "#", line.strip()) for line in text.strip().splitlines()]
