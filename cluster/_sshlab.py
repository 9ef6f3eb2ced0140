"""A lab of SSH hosts on this one machine: an sshd in each of several network namespaces.

It is there to try the SSH path for real, in tests and on a laptop; it needs Debian's
``openssh-server``, and no root.  The hosts live in a network of their own that no route
leads to.  So its ``lab.toml``, which is all a driver needs to know, names a keeper's socket
(`via`), which hands out sockets made inside.

An ordinary user's sshds run under his own number, for sshd as root wants to become other
users, of which such a lab has none; the logins have the capabilities to change the network
all the same.  Namespaces and sshds are gone when the process that raised the lab is.

    python -m cluster._sshlab 5        # raises one, prints where lab.toml is, and waits
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster._host import HostError, Unsupported
from cluster._journal import Journal
from cluster._local import environment, lab_directory, spawn
from cluster._namespaces import Lab, NamespaceHost, node_addresses

_PORT: Final = 22
_UP_TIMEOUT_S: Final = 20.0
_POLL_S: Final = 0.05
_WHERE: Final = "this machine"

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
    """A lab that is up: its ``lab.toml``, and its hosts as seen from below."""

    lab_toml: Path
    hosts: tuple[NamespaceHost, ...]


@contextlib.asynccontextmanager
async def ssh_lab(
    n: int,
    *,
    directory: str | os.PathLike[str] | None = None,
    journal: Journal | None = None,
) -> AsyncIterator[SshLab]:
    """Raise `n` hosts with an sshd each; raises `Unsupported` without openssh-server."""
    sshd = shutil.which("sshd", path=environment()["PATH"])
    if sshd is None or shutil.which("ssh-keygen") is None:
        raise Unsupported(_WHERE, "there is no sshd or no ssh-keygen", "install openssh-server")
    names = [f"n{i}" for i in range(1, n + 1)]
    async with lab_directory(directory, journal=journal, keep=False) as top:
        addresses = node_addresses(names)
        for name in names:
            (top / name).mkdir()
        init = await _write_keys(addresses, top, sshd)
        async with Lab.raised(addresses, top, init=init, keep_user=True) as lab:
            hosts = tuple(lab.host(name, None) for name in names)
            await asyncio.gather(*(_await_sshd(host, top) for host in hosts))
            yield SshLab(_write_lab(hosts, top, lab.socket_path), hosts)


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
        log = top / f"{name}.sshd.log"
        init[name] = ["sh", "-c", SSHD_COMMAND, "momus-sshd", sshd, str(config), str(log)]
    (top / "known_hosts").write_text("".join(known))
    return init


def _write_lab(hosts: tuple[NamespaceHost, ...], top: Path, via: Path) -> Path:
    defaults = {
        "user": getpass.getuser(),
        "key": str(top / "id"),
        "known_hosts": str(top / "known_hosts"),
        "directory": str(top),
        "via": f"unix:{via}",
        "ssh_config": "none",
    }
    tables = [{"name": host.name, "address": host.address} for host in hosts]
    path = top / "lab.toml"
    path.write_text(_toml(defaults) + "".join(f"\n[[hosts]]\n{_toml(each)}" for each in tables))
    return path


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


async def _serve(n: int) -> None:
    asked_to_end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_end.set)
    async with ssh_lab(n) as lab:
        print(f"{n} SSH hosts are up: momus run etcd --hosts {lab.lab_toml}", flush=True)
        print("Ctrl-C takes them down.", flush=True)
        await asked_to_end.wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
