"""Options that say where the hosts are: the same as a lab file says, and stronger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cluster import SshSettings
from momus._cli import cli
from momus._exits import Refusal
from momus._plan import Plan
from momus._whereabouts import Whereabouts, taken_from, whereabouts


def options(**given: Any) -> dict[str, Any]:
    names = ("lab", "hosts", "user", "key", "port", "jump", "sudo", "known_hosts", "host_keys")
    return {name: None for name in (*names, "ssh_config")} | given


def settings(where: Whereabouts | None) -> list[SshSettings]:
    assert where is not None
    return [each for each in where.read() if isinstance(each, SshSettings)]


def test_addresses_and_options_say_what_a_lab_file_says(tmp_path: Path) -> None:
    key = tmp_path / "key"
    lab = tmp_path / "lab.toml"
    lab.write_text(
        f'user = "me"\nkey = "{key}"\nport = 2222\nsudo = true\njump = "you@gate:2200"\n'
        'host_keys = "accept-new"\nssh_config = "none"\nhosts = ["a", "b"]\n'
    )
    flags = options(
        hosts="a,b",
        user="me",
        key=str(key),
        port=2222,
        sudo=True,
        jump="you@gate:2200",
        host_keys="accept-new",
        ssh_config="none",
    )
    assert settings(taken_from(flags)) == settings(taken_from(options(lab=lab)))


def test_options_are_stronger_than_the_file(tmp_path: Path) -> None:
    lab = tmp_path / "lab.toml"
    lab.write_text('ssh_config = "none"\n[[hosts]]\naddress = "a"\nuser = "me"\nport = 22\n')
    [host] = settings(taken_from(options(lab=lab, user="you", port=23)))
    assert (host.user, host.port) == ("you", 23)


def test_they_say_themselves_again_on_the_command_line(tmp_path: Path) -> None:
    where = whereabouts(None, "a, b", {"user": "me", "sudo": True, "port": None})
    assert where.words() == ["--hosts", "a,b", "--user", "me", "--sudo"]
    plan = Plan(system="etcd", lab="hosts", hosts=where, nodes=2).settled()
    assert "--hosts a,b --user me --sudo" in plan.command()
    file = tmp_path / "a lab.toml"
    file.write_text("")
    assert whereabouts(None, str(file), {}).words() == ["--lab", str(file)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lab": Path("x"), "hosts": "a"}, "name the hosts once"),
        ({"user": "me", "sudo": True}, "--user, --sudo is about SSH hosts"),
        ({"hosts": ","}, "no hosts"),
        ({"hosts": "a;rm -rf"}, "is no address"),
        ({"hosts": "a", "user": "-oProxyCommand=x"}, "is no user"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        settings(taken_from(options(**given)))


def test_a_transport_that_nobody_brings_is_a_usage_error_before_anything_runs(
    tmp_path: Path,
) -> None:
    lab = tmp_path / "lab.toml"
    lab.write_text('transport = "telepathy"\n[[hosts]]\nname = "a"\n')
    command = ["run", "etcd", "--lab", str(lab), "--store", str(tmp_path / "store")]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 2
    assert "no transport 'telepathy' is installed" in result.stderr
    assert not (tmp_path / "store").exists()
