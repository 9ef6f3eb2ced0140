"""``lab.toml``: the hosts of a lab, and how to log in to them.

    user = "root"                        # defaults for every host below
    key = "~/.ssh/lab_ed25519"           # left out: as OpenSSH would choose
    known_hosts = "known_hosts"          # relative to this file; left out: ~/.ssh/known_hosts
    hosts = ["10.0.0.1", "10.0.0.2"]     # named n1, n2... or, in full:

    [[hosts]]
    name = "n1"
    address = "10.0.0.1"
    port = 2222

Whatever may stand at the top may stand in a host, and is stronger there; what the command
line says is stronger than both, and what the user's OpenSSH configuration says of the
address fills what is left open.  All of that is settled here, once: the settings that come
out can be written into a journal, and mean the same wherever they are read again.  Nothing
in the file is secret: there is no place for a password or a passphrase.

Hosts that are not reached over SSH name a `transport` and their `command` or `options`;
see `cluster._transports`.
"""

from __future__ import annotations

import getpass
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec
import paramiko

from cluster._known_hosts import FILES
from cluster._openssh import UNCHECKED, SshConfigError, configured, jump_parts, ssh_config

HostKeys: TypeAlias = Literal["strict", "accept-new"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_ADDRESS: Final = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]*\$?")
_JUMPS_MAX: Final = 8


class LabFileError(ValueError):
    """The lab file is wrong; the message says where, and what to write."""


@dataclass(frozen=True)
class SshSettings:
    """How to reach one host.

    `address` is where the driver logs in, `internal` the IP address at which the other
    hosts reach it (the same by default).  `keys` are the files of private keys to try; with
    `identities_only` no others are.  `agent` is the agent's socket, None for the usual one,
    "none" for no agent.  `known_hosts` are files, in OpenSSH's form; the first is where
    ``host_keys="accept-new"`` adds what it learns.  The way to the host is a `jump` host, or a
    `proxy_command`, OpenSSH's ProxyCommand as a list of arguments in which ``%h``, ``%p``
    and ``%r`` stand for address, port and user, or `via`, the socket file of a keeper of
    namespaces on this machine (``unix:PATH``), or none of them.  `directory` is below which
    momus works on the host.
    """

    name: str
    address: str
    user: str
    port: int = 22
    keys: tuple[str, ...] = ()
    identities_only: bool = False
    agent: str | None = None
    known_hosts: tuple[str, ...] = FILES
    host_keys: HostKeys = "strict"
    host_key_alias: str | None = None
    sudo: bool = False
    internal: str | None = None
    directory: str = "/var/tmp"
    jump: SshSettings | None = None
    proxy_command: tuple[str, ...] = ()
    via: str | None = None
    connect_timeout_s: float = 10.0
    keepalive_s: float = 5.0


@dataclass(frozen=True)
class ForeignSettings:
    """A host that another transport than SSH reaches; `options` are that transport's own."""

    name: str
    transport: str
    options: dict[str, Any]
    directory: str = "/var/tmp"


Settings: TypeAlias = SshSettings | ForeignSettings

_SSH_KEYS: Final[dict[str, type | tuple[type, ...]]] = {
    "name": str,
    "address": str,
    "user": str,
    "port": int,
    "key": str,
    "known_hosts": str,
    "host_keys": str,
    "ssh_config": str,
    "sudo": bool,
    "internal": str,
    "directory": str,
    "jump": (str, dict),
    "proxy_command": list,
    "via": str,
    "connect_timeout_s": (int, float),
    "keepalive_s": (int, float),
    "transport": str,
}
_OWN: Final = {"name", "address", "internal"}
"""What cannot be a default for all hosts."""
_FOREIGN: Final = {"name", "directory", "transport"}
"""What momus reads of a host with another transport; all else is for the transport."""
_OF_JUMP: Final = ("key", "known_hosts", "host_keys", "ssh_config", "connect_timeout_s")
"""What a jump host shares with the hosts behind it, unless it says otherwise itself."""


def read_lab(
    path: str | os.PathLike[str], flags: Mapping[str, Any] | None = None
) -> list[SshSettings]:
    """The SSH hosts of a lab file; raises `LabFileError` or `OSError`.

    `flags` are settings that the command line gave, stronger than the file.
    """
    hosts = read_hosts(path, flags)
    for host in hosts:
        if not isinstance(host, SshSettings):
            raise LabFileError(f"{path}: {host.name} is reached by {host.transport}, not by SSH")
    return [host for host in hosts if isinstance(host, SshSettings)]


def read_hosts(
    path: str | os.PathLike[str], flags: Mapping[str, Any] | None = None
) -> list[Settings]:
    """All hosts of a lab file, whatever their transport."""
    file = Path(path)
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabFileError(f"{file}: {error}; it must be TOML") from error
    return _settled(content, flags or {}, f"{file}", file.absolute().parent)


def hosts_at(addresses: Sequence[str], flags: Mapping[str, Any] | None = None) -> list[Settings]:
    """Hosts at these addresses, as if they stood in a lab file with nothing else in it."""
    return _settled({"hosts": list(addresses)}, flags or {}, "the command line", Path.cwd())


def settings_from(spec: dict[str, Any]) -> SshSettings:
    """Settings again from `as_spec`; raises `ValueError` (`msgspec.ValidationError`)."""
    return msgspec.convert(spec, SshSettings)


def as_spec(settings: SshSettings) -> dict[str, Any]:
    """Settings as JSON."""
    found: dict[str, Any] = msgspec.to_builtins(settings)
    return found


def _settled(
    content: dict[str, Any], flags: Mapping[str, Any], where: str, home: Path
) -> list[Settings]:
    hosts = content.pop("hosts", None)
    if not isinstance(hosts, list) or not hosts:
        raise LabFileError(f'{where}: no hosts; write hosts = ["ADDRESS", ...] or [[hosts]] tables')
    common = str(content.get("transport", "ssh"))
    defaults = _checked(content, where, own=False) if common == "ssh" else dict(content)
    found = [
        _host(host, number, defaults, flags, f"{where}: host {number}", home)
        for number, host in enumerate(hosts, start=1)
    ]
    names = [each.name for each in found]
    for name in names:
        if not _NAME.fullmatch(name):  # it becomes the name of a folder, here and there
            raise LabFileError(
                f"{where}: {name!r} is no name of a host; use letters, digits, '.', '_' and '-'"
            )
        if names.count(name) > 1:
            raise LabFileError(f"{where}: two hosts have the name {name!r}")
    return found


def _host(
    host: Any,
    number: int,
    defaults: dict[str, Any],
    flags: Mapping[str, Any],
    where: str,
    home: Path,
) -> Settings:
    if isinstance(host, str):
        host = {"address": host}
    if not isinstance(host, dict):
        raise LabFileError(f"{where}: {host!r} is neither an address nor a table")
    usual = defaults.get("transport", "ssh")
    if host.get("transport", usual) != usual:  # what is meant for another transport is not for it
        defaults = {key: defaults[key] for key in ("directory",) if key in defaults}
    if host.get("transport", usual) != "ssh":
        return _foreign({"name": f"n{number}", "transport": usual, **defaults, **host}, where)
    own = _checked(host, where, own=True)
    if "address" not in own:
        raise LabFileError(f'{where}: no address; write address = "10.0.0.{number}"')
    try:
        return _ssh_settings({"name": f"n{number}", **defaults, **own, **flags}, home)
    except (SshConfigError, ValueError) as error:
        raise LabFileError(f"{where}: {error}") from error


def _foreign(table: dict[str, Any], where: str) -> ForeignSettings:
    for key in _FOREIGN:
        if not isinstance(table.get(key, ""), str):
            raise LabFileError(f"{where}: {key} = {table[key]!r} is of the wrong type")
    options = {key: value for key, value in table.items() if key not in _FOREIGN}
    directory = table.get("directory", ForeignSettings.directory)
    return ForeignSettings(table["name"], table["transport"], options, directory)


def _ssh_settings(table: dict[str, Any], home: Path, depth: int = 0) -> SshSettings:
    """One host, with what OpenSSH's configuration says where the table says nothing."""
    given = dict(table)
    given.pop("transport", None)
    alias = given.pop("address")
    from_config = {
        "user": getpass.getuser(),
        **configured(_config(given.pop("ssh_config", None), home), alias),
    }
    if from_config.get("jump") and jump_parts(from_config["jump"])[1] == alias:
        from_config.pop("jump")  # `Host *` with a ProxyJump means the jump host itself, too
    if "key" in given:
        given.update(keys=(str(_path(given.pop("key"), home)),), identities_only=True)
    if "known_hosts" in given:
        given["known_hosts"] = (str(_path(given["known_hosts"], home)),)
    if "proxy_command" in given:
        given["proxy_command"] = tuple(given["proxy_command"])
    if {"via", "proxy_command", "jump"} & given.keys():
        from_config.pop("jump", None)  # one way is enough, and the table's is the stronger
        from_config.pop("proxy_command", None)
    merged = {**from_config, **given}
    if merged.get("host_keys") == UNCHECKED:
        raise ValueError(
            f"the OpenSSH configuration of {alias} says StrictHostKeyChecking no, which would "
            'trust whoever answers; write host_keys = "accept-new" or "strict" in the lab file, '
            "or use --host-keys"
        )
    jump = merged.pop("jump", None)
    settings = SshSettings(**merged)
    if jump not in (None, "none"):
        settings = replace(settings, jump=_jump(jump, table, home, depth))
    _refuse_odd_words(settings)
    return settings


def _jump(jump: str | dict[str, Any], table: dict[str, Any], home: Path, depth: int) -> SshSettings:
    """The jump host; of several, the last, reached by way of those before it."""
    if depth >= _JUMPS_MAX:
        raise ValueError(f"more than {_JUMPS_MAX} jump hosts, one behind the other; is it a ring?")
    shared: dict[str, Any] = {key: table[key] for key in _OF_JUMP if key in table}
    if isinstance(jump, dict):
        own = _checked(jump, "jump", own=True)
        if "address" not in own:
            raise ValueError('the jump host has no address; write jump = "user@host:port"')
        return _ssh_settings({"name": "jump", **shared, **own}, home, depth + 1)
    before, _, last = jump.rpartition(",")
    user, host, port = jump_parts(last)
    named = {"user": user, "port": port, "jump": before}
    given = {key: value for key, value in named.items() if value}
    return _ssh_settings({"name": "jump", "address": host, **shared, **given}, home, depth + 1)


def _config(named: str | None, home: Path) -> paramiko.SSHConfig:
    if named == "none":
        return paramiko.SSHConfig()
    return ssh_config(None if named is None else str(_path(named, home)))


def _path(text: str, home: Path) -> Path:
    return home / Path(text).expanduser()


def _refuse_odd_words(settings: SshSettings) -> None:
    """Names become arguments of programs (proxy commands), and must not pass for options."""
    for what, text, form in (
        ("address", settings.address, _ADDRESS),
        ("user", settings.user, _USER),
    ):
        if not form.fullmatch(text):
            raise ValueError(f"{text!r} is no {what}")
    if not 1 <= settings.port <= 65535:
        raise ValueError(f"{settings.port} is no port")


def _checked(table: dict[str, Any], where: str, *, own: bool) -> dict[str, Any]:
    for key, value in table.items():
        if key not in _SSH_KEYS or (key in _OWN and not own):
            known = ", ".join(sorted(k for k in _SSH_KEYS if own or k not in _OWN))
            raise LabFileError(f"{where}: {key!r} is not known here; there are {known}")
        kinds = _SSH_KEYS[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            raise LabFileError(f"{where}: {key} = {value!r} is of the wrong type")
    if table.get("host_keys", "strict") not in ("strict", "accept-new"):
        raise LabFileError(f'{where}: host_keys is "strict" or "accept-new"')
    if not all(isinstance(word, str) for word in table.get("proxy_command", [])):
        raise LabFileError(f"{where}: proxy_command is a list of strings")
    if not str(table.get("via", "unix:/")).startswith("unix:/"):
        raise LabFileError(f'{where}: via is "unix:/ABSOLUTE/PATH" of a keeper\'s socket')
    if not str(table.get("directory", "/")).startswith("/"):
        raise LabFileError(f"{where}: directory must be an absolute path")
    for key in ("connect_timeout_s", "keepalive_s"):
        if table.get(key, 1) <= 0:
            raise LabFileError(f"{where}: {key} must be above zero")
    return dict(table)
