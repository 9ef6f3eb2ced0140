"""A lab of SSH hosts on this one machine: an sshd in each of several network namespaces.

It is there to try the SSH path for real, in tests and on a laptop; it needs Debian's
``openssh-server``, and no root.  The hosts live in a network of their own that no route
leads to.  So its ``lab.toml``, which is all a driver needs to know, names a keeper's socket
(`via`), which hands out sockets made inside.

An ordinary user's sshds run under his own number, for sshd as root wants to become other
users, of which such a lab has none; the logins have the capabilities to change the network
all the same.  Namespaces and sshds are gone when the process that raised the lab is.

`cluster._standing` runs this file as a process of its own, for labs that stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster._host import HostError, Unsupported
from cluster._journal import Journal, driver_identity, identity
from cluster._local import LocalHost, environment, lab_directory, spawn
from cluster._namespaces import Lab, NamespaceHost, node_addresses

_PORT: Final = 22
_UP_TIMEOUT_S: Final = 20.0
_POLL_S: Final = 0.05
_WHERE: Final = "this machine"
LAB_TOML: Final = "lab.toml"
STANDING: Final = "lab.json"
"""Which process holds a lab that stays."""
MARK: Final = "lab"

# sshd as root separates privileges with the help of this directory; where there is none, it
# is made in a /run that only this namespace sees.
SSHD_COMMAND: Final = """
[ "$(id -u)" != 0 ] || [ -d /run/sshd ] || { mount -t tmpfs tmpfs /run && mkdir /run/sshd; }
exec "$1" -D -f "$2" -E "$3"
"""

SSHD_CONFIG: Final = """\
Port {port}
ListenAddress {address}
HostKey {key}
AuthorizedKeysFile {authorized}
PidFile none
UsePAM no
UseDNS no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PermitUserRC no
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class SshLab:
    """A lab that is up: its ``lab.toml``, and its hosts as seen from below.

    `unshare` is the process that ends last.
    """

    lab_toml: Path
    hosts: tuple[NamespaceHost, ...]
    unshare: int


@contextlib.asynccontextmanager
async def ssh_lab(
    n: int,
    *,
    directory: str | os.PathLike[str] | None = None,
    at: Path | None = None,
    journal: Journal | None = None,
) -> AsyncIterator[SshLab]:
    """Raise `n` hosts with an sshd each; raises `Unsupported` without openssh-server.

    The lab's directory is `at`, or a fresh one below `directory`.
    """
    sshd = shutil.which("sshd", path=environment()["PATH"])
    if sshd is None or shutil.which("ssh-keygen") is None:
        raise Unsupported(
            _WHERE,
            f"there is no {'sshd' if sshd is None else 'ssh-keygen'}",
            "install it: apt-get install openssh-server openssh-client",
        )
    if os.geteuid() != 0 and _user().pw_shell.endswith(("/nologin", "/false")):
        raise Unsupported(
            _WHERE,
            f"your account's shell is {_user().pw_shell}, and sshd lets nobody in with that",
            "give it a shell (usermod --shell /bin/sh), or be root",
        )
    names = [f"n{i}" for i in range(1, n + 1)]
    below = lab_directory(directory, journal=journal, keep=False) if at is None else _at(at)
    async with below as top:
        addresses = node_addresses(names)
        for name in names:
            (top / name).mkdir()
        init = await _write_keys(addresses, top, sshd)
        async with Lab.raised(addresses, top, init=init, keep_user=True) as lab:
            hosts = tuple(lab.host(name, None) for name in names)
            await asyncio.gather(*(_await_sshd(host, top) for host in hosts))
            yield SshLab(_write_lab(hosts, top, lab.socket_path), hosts, lab.pid)


@contextlib.asynccontextmanager
async def _at(top: Path) -> AsyncIterator[Path]:
    """The directory `top`, made and marked, for nobody else to look into; removed on leaving."""
    driver = LocalHost("driver", str(top))
    before = os.umask(0o077)
    try:
        await driver.make_directory(MARK)
    finally:
        os.umask(before)
    try:
        yield top
    finally:
        await driver.remove_directory(MARK)


async def _write_keys(addresses: dict[str, str], top: Path, sshd: str) -> dict[str, list[str]]:
    """Make all keys and configurations; the command that starts each node's sshd."""
    await make_key(top / "id")
    known, init = [], {}
    for name, address in addresses.items():
        key = top / f"{name}.host_key"
        await make_key(key)
        kind, public, *_ = key.with_suffix(".host_key.pub").read_text().split()
        known.append(f"{address} {kind} {public}\n")
        config = top / f"{name}.sshd_config"
        config.write_text(
            SSHD_CONFIG.format(port=_PORT, address=address, key=key, authorized=top / "id.pub")
        )
        init[name] = sshd_command(top, name, sshd)
    (top / "known_hosts").write_text("".join(known))
    return init


def sshd_command(top: Path, name: str, sshd: str = "") -> list[str]:
    """The command that becomes the sshd of a host in the lab below `top`."""
    program = sshd or shutil.which("sshd", path=environment()["PATH"]) or "sshd"
    paths = (str(top / f"{name}.sshd_config"), str(top / f"{name}.sshd.log"))
    return ["sh", "-c", SSHD_COMMAND, "momus-sshd", program, *paths]


def _write_lab(hosts: tuple[NamespaceHost, ...], top: Path, via: Path) -> Path:
    defaults = {
        "user": _user().pw_name,
        "key": str(top / "id"),
        "known_hosts": str(top / "known_hosts"),
        "directory": str(top),
        "via": f"unix:{via}",
        "ssh_config": "none",
    }
    tables = [{"name": host.name, "address": host.address} for host in hosts]
    path = top / LAB_TOML
    path.write_text(_toml(defaults) + "".join(f"\n[[hosts]]\n{_toml(each)}" for each in tables))
    return path


def _user() -> pwd.struct_passwd:
    """Who we are; under another number nobody can log in where there is no root."""
    try:
        return pwd.getpwuid(os.geteuid())
    except KeyError:
        raise Unsupported(
            _WHERE, f"there is no account with the number {os.geteuid()}", "be a user that exists"
        ) from None


def _toml(table: dict[str, str]) -> str:
    """A table of strings; what JSON makes of a string is a string of TOML, too."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())


async def make_key(path: Path) -> None:
    argv = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "momus lab", "-f", str(path))
    await spawn(_WHERE, argv, argv, b"", 20, True)


async def _await_sshd(host: NamespaceHost, top: Path) -> None:
    deadline = time.monotonic() + _UP_TIMEOUT_S
    while True:
        try:
            sock = await host.dial(_PORT)
        except OSError as error:
            if time.monotonic() > deadline:
                log = top / f"{host.name}.sshd.log"
                said = log.read_text(errors="replace") if log.exists() else "no log"
                raise HostError(
                    host.name, f"sshd does not answer: {error}", f"its log: {said.strip()[-1000:]}"
                ) from error
            await asyncio.sleep(_POLL_S)
        else:
            sock.close()
            return


async def _stand(n: int, top: Path) -> None:
    """Raise a lab in `top`, say so in one line of JSON, and hold it until asked to end."""
    asked_to_end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_end.set)
    try:
        async with ssh_lab(n, at=top) as lab:
            who = {**driver_identity(), "unshare": identity(lab.unshare)}
            (top / STANDING).write_text(json.dumps(who))
            _say({"hosts": [host.name for host in lab.hosts]})
            await asked_to_end.wait()
    except HostError as error:
        _say({"error": error.what, "try_next": error.try_next})


def _say(answer: dict[str, object]) -> None:
    print(json.dumps(answer), flush=True)
    # Whoever raised the lab has heard enough, and may close its end.
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (1, 2):
        os.dup2(null, standard)
    os.close(null)


if __name__ == "__main__":
    asyncio.run(_stand(int(sys.argv[1]), Path(sys.argv[2])))
