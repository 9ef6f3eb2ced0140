"""``import momus`` and nothing else."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import momus

ROOMS = ("checker", "cluster", "generators", "histories", "nemesis", "reports", "simulation")


@pytest.mark.parametrize("name", momus.__all__)
def test_every_public_name_is_there_and_is_that_of_its_room(name: str) -> None:
    value = getattr(momus, name)
    rooms = [import_module(room) for room in ROOMS]
    owners = [getattr(room, name) for room in rooms if name in room.__all__]
    if name in ROOMS:
        assert value is import_module(name)
    else:
        assert not owners or any(value is owned for owned in owners)


def test_names_are_sorted_and_listed() -> None:
    assert len(set(momus.__all__)) == len(momus.__all__)
    assert set(momus.__all__) <= set(dir(momus))


def test_an_unknown_name_says_where_to_look() -> None:
    with pytest.raises(AttributeError, match=r"momus has no 'Hammer'; see momus.__all__"):
        _ = momus.Hammer


def test_an_import_costs_nothing_until_a_name_is_used() -> None:
    program = (
        "import sys, momus\n"
        "print('numpy' in sys.modules, 'checker' in sys.modules)\n"
        "momus.Event\n"
        "print('checker' in sys.modules, 'cluster' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["False"] * 4


def test_a_test_of_a_user_reads_like_this() -> None:
    history = momus.History.from_events(
        [
            momus.Event(0, 0, 0, "invoke", "write", "x", 1),
            momus.Event(1, 1, 0, "ok", "write", "x", 1),
            momus.Event(2, 2, 1, "invoke", "read", "x"),
            momus.Event(3, 3, 1, "ok", "read", "x", 2),
        ]
    )
    verdict = momus.check(history, "register")
    assert verdict.valid is False
    assert "read 2" in verdict.counterexamples[0].sentence
    assert momus.check(history, momus.register()).valid is False
    assert momus.check([history[0], history[1]], "register").valid is True
    with pytest.raises(momus.Refusal, match="try one of register"):
        momus.check(history, "regsiter")
