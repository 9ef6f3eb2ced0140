"""``momus lab``: SSH hosts that stand on this machine, and go without a trace."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cluster import HostError, lab_up, ssh
from momus._cli import cli


def momus(*args: Any) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in args])


def up(directory: Path, nodes: int = 1) -> dict[str, Any]:
    """Raise a lab, or skip the test where that is impossible."""
    result = momus("lab", "up", "--ssh", "--nodes", nodes, "--json", directory)
    if result.exit_code == 4:
        pytest.skip(result.stderr.strip())
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "lab"
    momus("lab", "down", tmp_path / "lab")


def traces(directory: Path) -> list[str]:
    """Files of a lab, and processes that name it or live in its namespaces."""
    found = [str(directory)] if directory.exists() else []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, UnicodeDecodeError):
                continue
            if str(directory) in words:
                found.append(words)
    return found


def namespaces() -> set[str]:
    """The network namespaces in which somebody lives, as far as we may see."""
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                found.add(os.readlink(process / "ns" / "net"))
            except OSError:
                continue
    return found


def hostnames(lab_toml: str) -> list[str]:
    async def main() -> list[str]:
        async with ssh(lab_toml) as hosts:
            return [(await host.run(["hostname"])).text for host in hosts]

    return asyncio.run(main())


def test_labs_stand_side_by_side_and_leave_nothing(tmp_path: Path, directory: Path) -> None:
    other = tmp_path / "other"
    one = up(directory, 2)
    inside = namespaces()
    try:
        two = up(other)
        assert one["hosts"] == ["n1", "n2"]
        assert hostnames(one["lab"]) == ["n1", "n2"]
        assert hostnames(two["lab"]) == ["n1"]
        assert momus("lab", "down", directory).exit_code == 0
        assert not traces(directory)
        assert hostnames(two["lab"]) == ["n1"]  # the other one has not noticed
    finally:
        momus("lab", "down", other)
    assert not traces(other)
    assert len(inside - namespaces()) >= 2  # those of both hosts have gone
    again = momus("lab", "down", directory)
    assert (again.exit_code, "there is no lab here" in again.stdout) == (0, True)


def test_a_lab_whose_process_was_killed_is_gone_but_for_its_directory(directory: Path) -> None:
    lab = up(directory)
    os.kill(lab["pid"], signal.SIGKILL)
    result = momus("lab", "up", "--ssh", directory)
    assert result.exit_code == 2
    assert "momus lab down" in result.stderr
    assert momus("lab", "down", directory).exit_code == 0
    assert not traces(directory)


def test_a_lab_that_is_up_is_not_raised_again(directory: Path) -> None:
    lab = up(directory)
    result = momus("lab", "up", "--ssh", directory)
    assert result.exit_code == 2
    assert "a lab is up in" in result.stderr
    assert hostnames(lab["lab"]) == ["n1"]


def test_what_is_no_lab_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("precious")
    for command in (("up", "--ssh"), ("down",)):
        result = momus("lab", *command, tmp_path / "mine")
        assert result.exit_code == 2
        assert "no lab" in result.stderr
    # Not even where somebody has put our mark into a file of his own.
    (tmp_path / "mine" / ".momus").write_text("something else")
    assert momus("lab", "down", tmp_path / "mine").exit_code == 2
    assert (tmp_path / "mine" / "file").read_text() == "precious"


def test_only_ssh_hosts_stay(tmp_path: Path) -> None:
    result = momus("lab", "up", tmp_path / "lab")
    assert result.exit_code == 2
    assert "try `momus lab up --ssh`" in result.stderr


def test_what_this_machine_lacks_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The process that raises the lab takes its Python path from us: there it finds no sshd.
    lacking = tmp_path / "site"
    lacking.mkdir()
    (lacking / "sitecustomize.py").write_text(
        "import shutil\nfind = shutil.which\n"
        "shutil.which = lambda name, **k: None if name == 'sshd' else find(name, **k)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(lacking))
    result = momus("lab", "up", "--ssh", tmp_path / "lab")
    assert result.exit_code == 4
    assert "there is no sshd; install it: apt-get install openssh-server" in result.stderr
    assert not (tmp_path / "lab").exists()
    with pytest.raises(HostError, match="there is no sshd"):
        lab_up(tmp_path / "lab", 1)
