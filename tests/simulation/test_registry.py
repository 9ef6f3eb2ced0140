"""Which systems there are, and how one's own is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulation import system_of
from simulation.register import SYSTEM


def test_a_system_is_known_by_its_name_and_by_its_module() -> None:
    assert system_of("register") is SYSTEM
    assert system_of("simulation.register:SYSTEM") is SYSTEM


def test_what_makes_a_system_is_called() -> None:
    assert system_of("simulation.register:RegisterSystem").name == "register"


def test_a_module_of_the_current_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_own_register.py").write_text(
        "from simulation.register import RegisterSystem\nMINE = RegisterSystem()\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    assert set(system_of("my_own_register:MINE").scenarios) == set(SYSTEM.scenarios)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("regsiter", "there is no system 'regsiter'; there are .*register.*my_package.my_module"),
        ("no_such_module:SYSTEM", "no_such_module cannot be imported: ModuleNotFoundError"),
        ("simulation.register:NOTHING", "simulation.register has no 'NOTHING'"),
        ("simulation.register:__doc__", "is no System; see docs"),
        ("simulation:Umbrella", "simulation has no .Umbrella."),
        ("tests.simulation.test_registry:half", "is no System: it has no bugs, scenarios, points"),
    ],
)
def test_what_is_no_system_is_refused_with_what_to_try(spec: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.compile(why)):
        system_of(spec)


def half() -> object:
    """Something with a name and nothing else."""
    return type("Half", (), {"name": "half"})()
