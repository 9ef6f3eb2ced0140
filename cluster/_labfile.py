"""``lab.toml``: the hosts of a lab, and how to log in to them.

    user = "root"                        # defaults for every host below
    key = "~/.ssh/lab_ed25519"           # left out: the agent's keys, then ~/.ssh/id_*
    known_hosts = "known_hosts"          # relative to this file; left out: ~/.ssh/known_hosts
    hosts = ["10.0.0.1", "10.0.0.2"]     # named n1, n2... or, in full:

    [[hosts]]
    name = "n1"
    address = "10.0.0.1"
    port = 2222

Whatever may stand at the top may stand in a host, and is stronger there.  Nothing in the
file is secret: there is no place for a password or a passphrase.
"""

from __future__ import annotations

import dataclasses
import getpass
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

UnknownHosts: TypeAlias = Literal["refuse", "accept"]


class LabFileError(ValueError):
    """The lab file is wrong; the message says where, and what to write."""


@dataclass(frozen=True)
class SshSettings:
    """How to reach one host.

    `address` is where the driver logs in, `internal` the IP address at which the other
    hosts reach it (the same by default).  `proxy_command` is OpenSSH's ProxyCommand as a
    list of arguments, in which ``%h``, ``%p`` and ``%r`` stand for address, port and user.
    `via` is the socket file of a keeper of namespaces on this machine, ``unix:PATH``.
    `directory` is below which momus works on the host.
    """

    name: str
    address: str
    user: str
    port: int = 22
    key: str | None = None
    known_hosts: str | None = None
    unknown_hosts: UnknownHosts = "refuse"
    sudo: bool = False
    internal: str | None = None
    directory: str = "/var/tmp"
    proxy_command: tuple[str, ...] = ()
    via: str | None = None
    connect_timeout_s: float = 10.0


_TYPES: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "address": str,
    "user": str,
    "port": int,
    "key": str,
    "known_hosts": str,
    "unknown_hosts": str,
    "sudo": bool,
    "internal": str,
    "directory": str,
    "proxy_command": list,
    "via": str,
    "connect_timeout_s": (int, float),
}
_OWN = {"name", "address", "internal"}
"""What cannot be a default for all hosts."""


def read_lab(path: str | os.PathLike[str]) -> list[SshSettings]:
    """The hosts of a lab file; raises `LabFileError` or `OSError`."""
    file = Path(path)
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabFileError(f"{file}: {error}; it must be TOML") from error
    hosts = content.pop("hosts", None)
    if not isinstance(hosts, list) or not hosts:
        raise LabFileError(f'{file}: no hosts; write hosts = ["ADDRESS", ...] or [[hosts]] tables')
    defaults = _checked(content, f"{file}", own=False)
    settings = [
        _settings(host, number, defaults, file) for number, host in enumerate(hosts, start=1)
    ]
    names = [each.name for each in settings]
    for name in names:
        if names.count(name) > 1:
            raise LabFileError(f"{file}: two hosts have the name {name!r}")
    return settings


def settings_from(spec: dict[str, Any]) -> SshSettings:
    """Settings again from their `dataclasses.asdict` (after a way through JSON)."""
    return SshSettings(**{**spec, "proxy_command": tuple(spec.get("proxy_command", ()))})


def as_spec(settings: SshSettings) -> dict[str, Any]:
    """Settings as JSON."""
    return {**dataclasses.asdict(settings), "proxy_command": list(settings.proxy_command)}


def _settings(host: Any, number: int, defaults: dict[str, Any], file: Path) -> SshSettings:
    where = f"{file}: host {number}"
    if isinstance(host, str):
        host = {"address": host}
    if not isinstance(host, dict):
        raise LabFileError(f"{where}: {host!r} is neither an address nor a table")
    own = _checked(host, where, own=True)
    if "address" not in own:
        raise LabFileError(f'{where}: no address; write address = "10.0.0.{number}"')
    merged = {"name": f"n{number}", "user": getpass.getuser(), **defaults, **own}
    for what in ("key", "known_hosts"):
        if what in merged:
            merged[what] = str(file.absolute().parent / Path(merged[what]).expanduser())
    merged["proxy_command"] = tuple(merged.get("proxy_command", ()))
    return SshSettings(**merged)


def _checked(table: dict[str, Any], where: str, *, own: bool) -> dict[str, Any]:
    for key, value in table.items():
        if key not in _TYPES or (key in _OWN and not own):
            known = ", ".join(sorted(k for k in _TYPES if own or k not in _OWN))
            raise LabFileError(f"{where}: {key!r} is not known here; there are {known}")
        kinds = _TYPES[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            raise LabFileError(f"{where}: {key} = {value!r} is of the wrong type")
    if table.get("unknown_hosts", "refuse") not in ("refuse", "accept"):
        raise LabFileError(f'{where}: unknown_hosts is "refuse" or "accept"')
    if not all(isinstance(word, str) for word in table.get("proxy_command", [])):
        raise LabFileError(f"{where}: proxy_command is a list of strings")
    if not str(table.get("via", "unix:/")).startswith("unix:/"):
        raise LabFileError(f'{where}: via is "unix:/ABSOLUTE/PATH" of a keeper\'s socket')
    if not str(table.get("directory", "/")).startswith("/"):
        raise LabFileError(f"{where}: directory must be an absolute path")
    return dict(table)
