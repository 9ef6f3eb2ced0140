"""What came of a run: its ending, its causes, and the digest of its history."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from simulation import Case, Result, digest_of, play_case, result_of, system_of
from simulation._player import result_of_case
from simulation._results import kind_of

ROOT = Path(__file__).parents[2]
MOODY = "tests.simulation.systems:SYSTEM"


def moody(bug: str | None, scenario: str = "calm") -> Result:
    return result_of_case(Case(MOODY, scenario, 1, bug), system_of(MOODY))


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("count of node n1 went back: 12 at 0.199 s, then 0.", "count of node # went back"),
        ("n1, n2 and n3 of shard s7 differ.", "# of shard # differ"),
        ('The value {"a": [1, 2]} of key "k (3)" was lost.', "The value # of key # was lost"),
        ("5 of 17 reads (see [4, 5]) were stale; the first is 4.", "# of # reads # were stale"),
        ("", ""),
    ],
)
def test_the_kind_of_a_failure_is_its_sentence_without_names_and_numbers(
    sentence: str, kind: str
) -> None:
    assert kind_of(sentence) == kind


def test_a_run_in_which_nothing_succeeded_never_passes() -> None:
    result = moody("deaf")
    assert (result.ending, result.causes[0].checker) == ("unknown", "counts never go back")
    assert result.checkers["counts never go back"] == "unknown"


def test_what_a_system_raises_is_a_broken_run() -> None:
    result = moody("raises")
    assert result.ending == "broke"
    assert result.causes[0].kind == "RuntimeError"
    assert "no program today" in result.sentence


def test_nodes_that_die_of_themselves_are_told() -> None:
    assert moody("dies").deaths["n1"][0] == "KeyError: 'lost'"


def test_a_result_survives_its_journey() -> None:
    result = moody("dies", "kill")
    assert msgspec.json.decode(msgspec.json.encode(result), type=Result) == result


def test_the_same_case_has_the_same_history_in_another_process_with_another_hash_seed() -> None:
    case = Case("register", "crash", 5, "no-sync")
    here = result_of(play_case(system_of("register"), case)).digest
    program = (
        "from simulation import *\n"
        "case = Case('register', 'crash', 5, 'no-sync')\n"
        "print(digest_of(play_case(system_of('register'), case).history))\n"
    )
    there = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "4711", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert there.stdout.strip() == here


def test_another_seed_has_another_history() -> None:
    digests = {
        digest_of(play_case(system_of("register"), Case("register", "calm", seed)).history)
        for seed in range(3)
    }
    assert len(digests) == 3
