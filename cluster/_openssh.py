"""What the user's OpenSSH configuration says of a host.

``~/.ssh/config`` and ``/etc/ssh/ssh_config`` are read by paramiko, after what they include
has been put in its place (which paramiko does not do).  Of what they say we heed the way to
the host, the login and the keys:

    HostName Port User IdentityFile IdentitiesOnly IdentityAgent ProxyJump ProxyCommand
    HostKeyAlias UserKnownHostsFile GlobalKnownHostsFile StrictHostKeyChecking ConnectTimeout
    ServerAliveInterval

``StrictHostKeyChecking no`` (or ``off``) would have us talk to whoever answers; that is refused,
unless the lab itself says what of unknown keys is to be thought.  ``ask`` is ``yes``: nobody is
there to be asked.
"""

from __future__ import annotations

import glob
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import paramiko

from cluster._known_hosts import FILES

USER_CONFIG: Final = "~/.ssh/config"
SYSTEM_CONFIG: Final = "/etc/ssh/ssh_config"
_INCLUDES_MAX: Final = 16
"""How deep files may include one another; OpenSSH's own limit."""


UNCHECKED: Final = "unchecked"
_STRICTNESS: Final = {
    "yes": "strict",
    "ask": "strict",
    "accept-new": "accept-new",
    "no": UNCHECKED,
    "off": UNCHECKED,
}


class SshConfigError(ValueError):
    """The configuration cannot be used; the message says where and why."""


class _Config(paramiko.SSHConfig):
    """Leaves %h, %p and %r in commands to us, who put them in after the words are parted."""

    def _tokenize(self, config: Any, target_hostname: str, key: str, value: str) -> str:
        if key in ("proxycommand", "proxyjump"):
            return value
        text: str = super()._tokenize(config, target_hostname, key, value)  # type: ignore[misc]
        return text


def ssh_config(file: str | None) -> paramiko.SSHConfig:
    """The configuration in `file`; None stands for the user's and the system's own."""
    lines: list[str] = []
    for each in (USER_CONFIG, SYSTEM_CONFIG) if file is None else (file,):
        path = Path(each).expanduser()
        if path.exists() or file is not None:
            # What stands before the first Host of a file holds for all hosts.
            lines += ["Host *", *_with_includes(path, path.parent, 0)]
    try:
        return _Config.from_text("\n".join(lines))
    except paramiko.ConfigParseError as error:
        raise SshConfigError(f"{file or USER_CONFIG}: {error}") from error


def configured(config: paramiko.SSHConfig, host: str) -> dict[str, Any]:
    """The settings of `host` that the configuration brings, under our names for them."""
    try:
        found: Mapping[str, Any] = config.lookup(host)
    except (paramiko.SSHException, ImportError, ValueError, OSError) as error:
        raise SshConfigError(f"the OpenSSH configuration of {host}: {error}") from error
    brought: dict[str, Any] = {}
    for key, name, kind in (
        ("hostname", "address", str),
        ("user", "user", str),
        ("port", "port", int),
        ("hostkeyalias", "host_key_alias", str),
        ("identityagent", "agent", str),
        ("connecttimeout", "connect_timeout_s", float),
        ("serveraliveinterval", "keepalive_s", float),
    ):
        if key in found and str(found[key]).lower() != "0":
            brought[name] = _converted(kind, key, found[key])
    if "identityfile" in found:
        brought["keys"] = tuple(os.path.expanduser(each) for each in found["identityfile"])
    brought["identities_only"] = found.get("identitiesonly", "no").lower() == "yes"
    brought["known_hosts"] = _known_hosts(found)
    if "stricthostkeychecking" in found:
        brought["host_keys"] = _host_keys(found["stricthostkeychecking"])
    if found.get("proxycommand"):
        brought["proxy_command"] = _words(found["proxycommand"], host)
    elif found.get("proxyjump", "none").lower() != "none":
        brought["jump"] = found["proxyjump"]
    return brought


def _words(command: str, host: str) -> tuple[str, ...]:
    """The words of a command that needs no shell; OpenSSH would run it by one, we do not."""
    if any(each in command for each in "|&;<>()$`"):
        raise SshConfigError(
            f"the ProxyCommand of {host} in the OpenSSH configuration needs a shell: "
            "put it into a script of its own"
        )
    return tuple(os.path.expanduser(word) for word in shlex.split(command))


def _converted(kind: type, key: str, text: str) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise SshConfigError(f"{key} {text!r} in the OpenSSH configuration: {error}") from error


def _host_keys(said: str) -> str:
    """Our word for what StrictHostKeyChecking says; UNCHECKED is for the lab to overrule."""
    word = said.strip().lower()
    if word not in _STRICTNESS:
        raise SshConfigError(
            f"StrictHostKeyChecking {said!r} in the OpenSSH configuration: it is one of "
            f"{', '.join(_STRICTNESS)}"
        )
    return _STRICTNESS[word]


def _known_hosts(found: Mapping[str, Any]) -> tuple[str, ...]:
    files: list[str] = []
    for key, usual in (("userknownhostsfile", FILES[:2]), ("globalknownhostsfile", FILES[2:])):
        named = shlex.split(found[key]) if key in found else list(usual)
        files += [os.path.expanduser(each) for each in named if each.lower() != "none"]
    return tuple(files)


def _with_includes(path: Path, home: Path, depth: int) -> Iterator[str]:
    """The lines of a file, with what it includes in its place."""
    if depth > _INCLUDES_MAX:
        raise SshConfigError(f"{path}: files include one another {_INCLUDES_MAX} deep")
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SshConfigError(f"{path}: {error}") from error
    block = "Host *"
    for line in content.splitlines():
        word, _, rest = line.strip().replace("=", " ", 1).partition(" ")
        if word.lower() in ("host", "match"):
            block = line
        if word.lower() != "include":
            yield line
            continue
        for included in _named(rest, home):
            inner = list(_with_includes(included, home, depth + 1))
            if block.split() != ["Host", "*"] and any(_opens_block(each) for each in inner):
                raise SshConfigError(
                    f"{path}: within `{block.strip()}` it includes {included}, which has Host "
                    "lines of its own; include it above the first Host"
                )
            yield from inner
        yield block


def _named(patterns: str, home: Path) -> Iterator[Path]:
    for pattern in shlex.split(patterns):
        full = os.path.join(home, os.path.expanduser(pattern))
        yield from map(Path, sorted(glob.glob(full)))


def _opens_block(line: str) -> bool:
    return line.strip().replace("=", " ").partition(" ")[0].lower() in ("host", "match")


def jump_parts(jump: str) -> tuple[str | None, str, int | None]:
    """User, host and port of ``[user@]host[:port]`` or ``ssh://...``, as ProxyJump has it."""
    text = jump.strip().removeprefix("ssh://").rstrip("/")
    user, at, rest = text.rpartition("@")
    if rest.startswith("["):
        host, _, port = rest[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = rest.partition(":") if rest.count(":") == 1 else (rest, "", "")
    if not host or (port and not port.isdigit()):
        raise ValueError(f"{jump!r} is no jump host; write user@host:port")
    return (user if at else None), host, (int(port) if port else None)
