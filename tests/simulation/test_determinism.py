"""A run is a pure function of its case, whatever process plays it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation import Case, play_case
from tests.simulation.quorum_register import QuorumRegister

HERE = Path(__file__).resolve().parents[2]
PLAY = """
import sys
from simulation import Case, play_case
from tests.simulation.quorum_register import QuorumRegister
case = Case("quorum-register", "everything", int(sys.argv[1]), time_limit_s=6.0)
play_case(QuorumRegister(), case).history.write_jsonl(sys.argv[2])
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_another_process_with_another_hash_seed_writes_the_same_bytes(
    seed: int, tmp_path: Path
) -> None:
    case = Case("quorum-register", "everything", seed, time_limit_s=6.0)
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    history = play_case(QuorumRegister(), case).history
    history.write_jsonl(here)
    env = {**os.environ, "PYTHONHASHSEED": str(seed + 100), "PYTHONPATH": str(HERE)}
    arguments = [sys.executable, "-c", PLAY, str(seed), str(there)]
    subprocess.run(arguments, env=env, check=True, timeout=120)
    assert here.read_bytes() == there.read_bytes()
    struck = {event.f for event in history if event.f.startswith("start-")}
    assert len(struck) > 5, "a run in which little happened shows little"


def test_another_seed_is_another_run() -> None:
    first, second = (
        play_case(
            QuorumRegister(), Case("quorum-register", "crashes", seed, time_limit_s=1.0)
        ).history
        for seed in (1, 2)
    )
    assert [event.time for event in first] != [event.time for event in second]
