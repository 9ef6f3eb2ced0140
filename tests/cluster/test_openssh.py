"""What a lab file leaves open, the user's OpenSSH configuration says."""

from pathlib import Path
from typing import Any

import pytest

from cluster import LabFileError, SshSettings, read_lab
from cluster._labfile import as_spec, settings_from
from cluster._openssh import jump_parts

CONFIG = """
Host lab-a
    HostName 10.0.0.1
    Port 2222
    User bob
    IdentityFile ~/keys/lab
    IdentitiesOnly yes
    HostKeyAlias the-lab
    UserKnownHostsFile /etc/lab_known_hosts
    ServerAliveInterval 7
    ConnectTimeout 3

Host lab-b
    ProxyCommand nc -x "a proxy" %h %p

Host lab-c
    ProxyJump carol@gate:2200

Host gate
    HostName gate.example.org

Host *
    User everybody
"""


def lab(tmp_path: Path, config: str, text: str, flags: Any = None) -> list[SshSettings]:
    (tmp_path / "config").write_text(config)
    (tmp_path / "lab.toml").write_text(f'ssh_config = "config"\n{text}')
    return read_lab(tmp_path / "lab.toml", flags)


def test_address_login_keys_and_known_hosts_come_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    [host] = lab(tmp_path, CONFIG, 'hosts = ["lab-a"]')
    assert (host.name, host.address, host.port, host.user) == ("n1", "10.0.0.1", 2222, "bob")
    assert host.keys == ("/home/me/keys/lab",)
    assert host.identities_only
    assert host.host_key_alias == "the-lab"
    assert host.known_hosts[0] == "/etc/lab_known_hosts"
    assert (host.keepalive_s, host.connect_timeout_s) == (7.0, 3.0)


def test_the_lab_file_is_stronger_and_flags_are_the_strongest(tmp_path: Path) -> None:
    text = 'user = "root"\nhosts = ["lab-a"]'
    [host] = lab(tmp_path, CONFIG, text)
    assert (host.user, host.port) == ("root", 2222)
    [host] = lab(tmp_path, CONFIG, text, {"user": "eve", "port": 23})
    assert (host.user, host.port) == ("eve", 23)


def test_a_proxy_command_is_words_and_passes_no_shell(tmp_path: Path) -> None:
    [host] = lab(tmp_path, CONFIG, 'hosts = ["lab-b"]')
    assert host.proxy_command == ("nc", "-x", "a proxy", "%h", "%p")
    with pytest.raises(LabFileError, match=r"needs a shell: put it into a script"):
        lab(tmp_path, "Host x\n ProxyCommand nc %h %p | tee log", 'hosts = ["x"]')


def test_a_jump_host_has_its_own_settings(tmp_path: Path) -> None:
    [host] = lab(tmp_path, CONFIG, 'hosts = ["lab-c"]')
    assert host.jump is not None
    assert (host.jump.address, host.jump.user, host.jump.port) == (
        "gate.example.org",
        "carol",
        2200,
    )
    assert settings_from(as_spec(host)) == host


def test_the_way_in_the_lab_file_replaces_the_configured_one(tmp_path: Path) -> None:
    [host] = lab(tmp_path, CONFIG, '[[hosts]]\naddress = "lab-c"\njump = "x@other,y@last:2022"')
    assert host.jump is not None
    assert (host.jump.address, host.jump.user, host.jump.port) == ("last", "y", 2022)
    assert host.jump.jump is not None
    assert (host.jump.jump.address, host.jump.jump.user) == ("other", "x")
    [host] = lab(tmp_path, CONFIG, '[[hosts]]\naddress = "lab-c"\njump = "none"')
    assert host.jump is None


def test_a_jump_host_for_all_is_not_behind_itself(tmp_path: Path) -> None:
    [host] = lab(tmp_path, "Host *\n ProxyJump gate", 'hosts = ["lab-a"]')
    assert host.jump is not None
    assert host.jump.jump is None


def test_jump_hosts_in_a_ring_are_refused(tmp_path: Path) -> None:
    ring = "Host a\n ProxyJump b\nHost b\n ProxyJump a"
    with pytest.raises(LabFileError, match="is it a ring"):
        lab(tmp_path, ring, 'hosts = ["a"]')


def test_includes_are_followed_and_leave_the_block_around_them(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "one").write_text("Host lab-z\n  Port 99\n")
    [z, y] = lab(tmp_path, "Include conf.d/*\nUser all\n", 'hosts = ["lab-z", "lab-y"]')
    assert (z.port, z.user, y.port, y.user) == (99, "all", 22, "all")
    with pytest.raises(LabFileError, match="include it above the first Host"):
        lab(tmp_path, "Host a\n Include conf.d/*\n", 'hosts = ["lab-z"]')


def test_it_can_be_left_out_altogether(tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text('ssh_config = "none"\nuser = "u"\nhosts = ["lab-a"]')
    [host] = read_lab(tmp_path / "lab.toml")
    assert (host.address, host.port, host.user) == ("lab-a", 22, "u")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("Host x\n  Port many", "port 'many'"),
        ("Host x\n  =", "config"),
        ("Include config", "include one another"),
        ("Host x\n  StrictHostKeyChecking maybe", "'maybe' in the OpenSSH configuration"),
    ],
)
def test_what_cannot_be_used_is_told(tmp_path: Path, config: str, said: str) -> None:
    with pytest.raises(LabFileError, match=said):
        lab(tmp_path, config, 'hosts = ["x"]')


@pytest.mark.parametrize(
    ("said", "meant"),
    [("yes", "strict"), ("ask", "strict"), ("accept-new", "accept-new"), ("", "strict")],
)
def test_strictness_about_host_keys_is_heeded(tmp_path: Path, said: str, meant: str) -> None:
    config = f"Host *\n StrictHostKeyChecking {said}\n" if said else ""
    [host] = lab(tmp_path, config, 'hosts = ["x"]')
    assert host.host_keys == meant
    [stronger] = lab(tmp_path, config, 'host_keys = "strict"\nhosts = ["x"]')
    assert stronger.host_keys == "strict"


@pytest.mark.parametrize("said", ["no", "off", "NO"])
def test_to_trust_whoever_answers_is_refused_unless_the_lab_says_what_it_wants(
    tmp_path: Path, said: str
) -> None:
    config = f"Host *\n StrictHostKeyChecking {said}\n"
    with pytest.raises(LabFileError, match=r"StrictHostKeyChecking no.*host_keys = \"accept-new"):
        lab(tmp_path, config, 'hosts = ["x"]')
    [host] = lab(tmp_path, config, 'host_keys = "accept-new"\nhosts = ["x"]')
    assert host.host_keys == "accept-new"
    with pytest.raises(LabFileError, match="StrictHostKeyChecking no"):
        lab(tmp_path, f"Host gate\n{config[7:]}Host x\n ProxyJump gate", 'hosts = ["x"]')


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("gate", (None, "gate", None)),
        ("me@gate:22", ("me", "gate", 22)),
        ("ssh://me@gate:2222/", ("me", "gate", 2222)),
        ("[2001:db8::1]:22", (None, "2001:db8::1", 22)),
        ("2001:db8::1", (None, "2001:db8::1", None)),
    ],
)
def test_jump_hosts_are_spelled_as_openssh_spells_them(text: str, parts: Any) -> None:
    assert jump_parts(text) == parts
