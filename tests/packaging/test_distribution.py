"""What an installed momus is: its name and version, its rooms, its command, its types."""

import re
import tomllib
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "checker",
    "cluster",
    "engine",
    "generators",
    "histories",
    "momus",
    "nemesis",
    "reports",
    "simulation",
)

# The import column of the plan of the house: what each room may import.
MAY_IMPORT = {
    "engine": set(),
    "histories": {"engine"},
    "checker": {"histories", "engine"},
    "generators": {"histories"},
    "cluster": {"histories"},
    "nemesis": {"histories", "generators", "cluster"},
    "reports": {"histories", "checker"},
    "simulation": {"histories", "checker", "generators", "cluster", "nemesis"},
}


@pytest.fixture(scope="module")
def installed() -> metadata.Distribution:
    """The installed distribution, where there is one (`make test` installs it)."""
    try:
        return metadata.distribution("momus")
    except metadata.PackageNotFoundError:
        pytest.skip("momus is not installed in this environment; `make test` installs it")


def project_settings() -> dict[str, Any]:
    """pyproject.toml, as data."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_version_is_the_same_for_python_and_rust(installed: metadata.Distribution) -> None:
    crate = tomllib.loads((ROOT / "engine" / "Cargo.toml").read_text())
    assert installed.version == crate["package"]["version"]


def test_the_changelog_has_a_heading_for_this_version(installed: metadata.Distribution) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[{re.escape(installed.version)}\]", changelog, re.MULTILINE)


def test_the_licence_travels_with_the_package(installed: metadata.Distribution) -> None:
    assert "Apache" in (installed.metadata["License-Expression"] or installed.metadata["License"])
    assert (ROOT / "LICENSE").read_text().lstrip().startswith("Apache License")


def test_the_command_momus_starts_something_callable(installed: metadata.Distribution) -> None:
    (command,) = [e for e in installed.entry_points if e.group == "console_scripts"]
    assert command.name == "momus"
    assert callable(command.load())


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_imports_and_promises_its_types(room: str) -> None:
    folder = import_module(room).__file__
    assert folder is not None
    assert (Path(folder).parent / "py.typed").is_file()


def test_the_linters_know_every_room() -> None:
    tools = project_settings()["tool"]
    assert set(ROOMS) <= set(tools["mypy"]["files"])
    assert sorted(tools["importlinter"]["root_packages"]) == sorted(ROOMS)


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_the_import_contract_forbids_all_that_the_plan_does_not_allow(room: str) -> None:
    contracts = project_settings()["tool"]["importlinter"]["contracts"]
    (contract,) = [c for c in contracts if c["source_modules"] == [room]]
    assert set(contract["forbidden_modules"]) == set(ROOMS) - {room} - MAY_IMPORT[room]
