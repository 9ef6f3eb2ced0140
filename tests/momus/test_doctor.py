"""``momus doctor``: what hosts can do, and the command that gives them what they lack."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cluster import ForeignSettings, HostError, SshSettings, lab_down, lab_up, read_lab, ssh
from momus._checkup import CAPABILITIES, Finding, check_up, check_up_all
from momus._cli import cli
from momus._doctor import exit_code
from nemesis._cgroup_program import find

# fmt: off
USUAL = (
    "sh", "env", "setsid", "cat", "head", "sha256sum", "mkdir", "mv", "chmod", "tr", "grep",
    "rm", "date", "df", "tail", "uname", "id", "sleep", "printf",
)
# fmt: on


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The programs of a bare machine; tests add what they are about."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in USUAL:
        found = shutil.which(name)
        assert found is not None, name
        (folder / name).symlink_to(found)
    return folder


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).unlink(missing_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def bare(programs: Path) -> ForeignSettings:
    """This machine as a host that has these programs only."""
    command = ["env", "-i", f"PATH={programs}"]
    options = {"command": command, "address": "127.0.0.1"}
    return ForeignSettings("n1", "command", options, directory=str(programs.parent))


def findings(programs: Path) -> dict[str, Finding]:
    return {each.capability: each for each in asyncio.run(check_up(bare(programs)))}


def momus(*args: Any) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in args])


@pytest.mark.parametrize(
    ("manager", "mend"),
    [
        ("apt-get", "apt-get install -y python3"),
        ("dnf", "dnf install -y python3"),
        ("pacman", "pacman -S --noconfirm python"),
        ("apk", "apk add python3"),
    ],
)
def test_what_is_missing_is_named_with_the_hosts_own_installer(
    programs: Path, manager: str, mend: str
) -> None:
    program(programs, manager, ":")
    found = findings(programs)
    assert found.keys() == set(CAPABILITIES)
    assert (found["python3"].yes, found["python3"].mend) == (False, mend)
    assert found["tools"].yes
    assert found["files"].yes
    assert found["libfaketime"].yes == bool(list(Path("/usr/lib").glob("*/faketime")))


def test_a_program_that_the_kernel_does_not_back_wants_a_module(programs: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root looks that far")
    program(programs, "apt-get", ":")
    program(programs, "tc", ":")
    program(programs, "unshare", "echo 'Specified qdisc kind is unknown' >&2; exit 2")
    found = findings(programs)["tc netem"]
    assert not found.yes
    assert "refuses netem: Specified qdisc kind is unknown" in found.detail
    assert found.mend == "modprobe sch_netem"


def test_without_root_what_needs_it_is_no(programs: Path) -> None:
    program(programs, "id", "echo 1000")
    found = findings(programs)
    assert not found["sudo"].yes
    for capability in ("packet filter", "tc netem", "cgroups", "fuse", "clock"):
        assert (found[capability].detail, found[capability].mend) == ("needs root", "# see sudo")


def test_a_clock_that_is_off_is_measured(programs: Path) -> None:
    assert findings(programs)["clock offset"].yes
    date = shutil.which("date")
    program(programs, "date", f'exec {date} -d "10 seconds" "$@"')
    found = findings(programs)["clock offset"]
    assert not found.yes
    assert 9_000 < float(found.detail.split()[0]) < 60_000
    assert "ms ahead, give or take" in found.detail
    assert found.mend == "timedatectl set-ntp true"


def test_a_clock_that_ntp_looks_after_is_no_clock_to_break(programs: Path, tmp_path: Path) -> None:
    """As the fault itself would decide, by the same script."""
    if os.geteuid() != 0:
        pytest.skip("only root may set clocks")
    program(
        programs, "cat", f"case $1 in */boot_id) echo other;; *) {shutil.which('cat')} $@;; esac"
    )
    if not findings(programs)["clock"].yes:
        pytest.skip(f"this machine's clock: {findings(programs)['clock'].detail}")
    (tmp_path / "chronyd").symlink_to("/bin/sleep")
    process = subprocess.Popen([str(tmp_path / "chronyd"), "1000"])
    try:
        found = findings(programs)["clock"]
    finally:
        process.kill()
        process.wait()
    assert (found.yes, found.detail) == (False, "chronyd runs, and would set it right")
    assert found.mend == "timedatectl set-ntp false"


def test_a_full_disk_makes_a_host_useless(programs: Path) -> None:
    program(programs, "df", "echo Head; echo /dev/x 100 100 2048 99% /data")
    rows = asyncio.run(check_up(bare(programs)))
    disk = next(each for each in rows if each.capability == "disk")
    assert (disk.yes, disk.detail, disk.required) == (False, "2 MiB free on /data", True)
    assert exit_code({"n1": rows}) == 4


def test_a_host_out_of_reach_does_not_hide_the_others(programs: Path, tmp_path: Path) -> None:
    away = SshSettings("n2", "127.0.0.1", "root", port=1, known_hosts=(str(tmp_path / "none"),))
    found = asyncio.run(check_up_all([bare(programs), away]))
    assert len(found["n1"]) == len(CAPABILITIES)
    [login] = found["n2"]
    assert (login.capability, login.yes, login.required) == ("ssh", False, True)
    assert "cannot reach 127.0.0.1 port 1" in login.detail


def test_sudo_that_asks_is_told_with_its_rule(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster._ssh.WHO", "echo 1000; echo 0000000000000000")
    [settings, *_] = read_lab(lab, {"sudo": True})
    found = {each.capability: each for each in asyncio.run(check_up(settings))}
    assert found["ssh"].yes
    assert not found["sudo"].yes
    assert f"{settings.user} ALL=(ALL) NOPASSWD: ALL" in found["sudo"].mend
    assert found["tc netem"].mend == "# see sudo"
    assert found["python3"].yes


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The lab file of one SSH host."""
    directory = tmp_path_factory.mktemp("doctor") / "lab"
    try:
        yield lab_up(directory, 1).lab_toml
    except HostError as error:
        pytest.skip(str(error))
    finally:
        lab_down(directory)


def state(lab: Path) -> list[str]:
    """What the doctor must not change."""

    async def main() -> list[str]:
        async with ssh(lab) as [host]:
            commands = (
                "iptables-save 2>&1 | grep -v '^#'",
                "nft list ruleset 2>&1",
                "tc qdisc show 2>&1",
                "cat /proc/mounts",
                "ls /sys/fs/cgroup",
                'ls -A -- "$(dirname "$1")" | grep -v ^momus-lab-',
                "ip rule",
            )
            argv = [["sh", "-c", each, "sh", host.directory] for each in commands]
            return [(await host.run(each, check=False)).text for each in argv]

    return asyncio.run(main())


def test_a_lab_is_checked_and_nothing_is_changed(lab: Path) -> None:
    before = state(lab)
    result = momus("doctor", lab, "--json")
    assert state(lab) == before
    told = json.loads(result.stdout)
    n1 = told["hosts"]["n1"]
    assert result.exit_code in (0, 3)
    assert told["usable"]
    assert told["complete"] == (result.exit_code == 0)
    assert tuple(n1) == CAPABILITIES
    assert all(n1[each]["yes"] for each in ("ssh", "files", "tools", "python3", "clock offset"))
    assert n1["clock"]["detail"] == "it is the clock of the driver, too"
    assert all(each["yes"] or each["mend"] for each in n1.values())


def test_people_get_a_table_and_what_to_do(programs: Path, tmp_path: Path) -> None:
    program(programs, "apt-get", ":")
    lab = tmp_path / "lab.toml"
    command = json.dumps(["env", "-i", f"PATH={programs}"])
    lab.write_text(
        f'transport = "command"\ncommand = {command}\ndirectory = "{tmp_path}"\n'
        '[[hosts]]\nname = "one"\naddress = "127.0.0.1"\n'
        '[[hosts]]\nname = "two"\naddress = "127.0.0.1"\n'
    )
    result = momus("doctor", lab)
    assert result.exit_code == 3
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["one", "two", "for"]
    assert "python3        no   no   proofs of partitions and pressure" in result.stdout
    assert "one, two: no python3: no python3\n  apt-get install -y python3\n" in result.stdout


def test_no_hosts_is_a_usage_error() -> None:
    result = momus("doctor")
    assert result.exit_code == 2
    assert "try `momus doctor lab.toml`" in result.stderr


def test_control_groups_are_found_as_the_faults_find_them(programs: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may make control groups")
    program(programs, "python3", f'exec {sys.executable} "$@"')
    cgroups = findings(programs)["cgroups"]
    ways, lacking = [], []
    for controller in ("cpu", "memory", "io", "pids"):
        try:
            way = find(controller, "momus-test")
            ways.append(f"{controller} v{way['version']}")
        except LookupError as error:
            lacking.append(str(error))
    assert cgroups.yes == (not lacking)
    assert cgroups.detail == ("; ".join(lacking) or ", ".join(ways))
