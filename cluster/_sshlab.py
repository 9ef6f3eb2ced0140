"""A lab of SSH hosts on this one machine: an sshd in each of several network namespaces.

It is there to try the SSH path for real, in tests and on a laptop; it needs Debian's
``openssh-server``.  All that a driver needs to know of it stands in its ``lab.toml``:

- root's lab has an uplink: one end of a veth pair stands outside, so that every process
  of the machine reaches the hosts at their addresses;
- an ordinary user's lab cannot have one.  There the hosts name a keeper's socket (`via`),
  which hands out sockets made inside.  Its sshds run under the user's own number, since
  sshd as root wants to become other users, of which such a lab has none, and the logins
  have the capabilities to change the network all the same.

The namespaces, the uplink and the sshds are gone when the process that raised the lab is.

    python -m cluster._sshlab 5        # raises one, prints where lab.toml is, and waits
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import secrets
import shutil
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster._host import HostError, Unsupported
from cluster._local import environment, lab_directory, spawn
from cluster._namespaces import Lab, NamespaceHost

_PORT: Final = 22
_UP_TIMEOUT_S: Final = 20.0
_POLL_S: Final = 0.05
_WHERE: Final = "this machine"

# sshd as root separates privileges with the help of this directory; where there is none, it
# is made in a /run that only this namespace sees.
_INIT: Final = """
[ "$(id -u)" != 0 ] || [ -d /run/sshd ] || { mount -t tmpfs tmpfs /run && mkdir /run/sshd; }
exec "$1" -D -f "$2" -E "$3"
"""

_CONFIG: Final = """\
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
    n: int, *, directory: str | os.PathLike[str] | None = None
) -> AsyncIterator[SshLab]:
    """Raise `n` hosts with an sshd each; raises `Unsupported` without openssh-server."""
    sshd = shutil.which("sshd", path=environment()["PATH"])
    if sshd is None or shutil.which("ssh-keygen") is None:
        raise Unsupported(_WHERE, "there is no sshd or no ssh-keygen", "install openssh-server")
    names = [f"n{i}" for i in range(1, n + 1)]
    is_root = os.geteuid() == 0
    network = await _unused_network() if is_root else "10.66.0"
    async with lab_directory(directory, journal=None, keep=False) as top:
        for name in names:
            (top / name).mkdir()
        init = await _write_keys(names, top, network, sshd)
        async with (
            Lab.raised(names, top, network=network, init=init, keep_user=True) as lab,
            _uplink(lab.keeper, network) if is_root else contextlib.nullcontext(),
        ):
            hosts = tuple(lab.host(name, None) for name in names)
            await asyncio.gather(*(_await_sshd(host, top) for host in hosts))
            lab_toml = _write_lab(hosts, top, None if is_root else lab.socket_path)
            yield SshLab(lab_toml, hosts)


async def _write_keys(names: list[str], top: Path, network: str, sshd: str) -> dict[str, list[str]]:
    """Make all keys and configurations; the command that starts each node's sshd."""
    await _make_key(top / "id")
    known, init = [], {}
    for number, name in enumerate(names, start=1):
        key = top / f"{name}.host_key"
        await _make_key(key)
        address = f"{network}.{number}"
        kind, public, *_ = key.with_suffix(".host_key.pub").read_text().split()
        known.append(f"{address} {kind} {public}\n")
        config = top / f"{name}.sshd_config"
        config.write_text(
            _CONFIG.format(port=_PORT, address=address, key=key, authorized=top / "id.pub")
        )
        log = top / f"{name}.sshd.log"
        init[name] = ["sh", "-c", _INIT, "momus-sshd", sshd, str(config), str(log)]
    (top / "known_hosts").write_text("".join(known))
    return init


def _write_lab(hosts: tuple[NamespaceHost, ...], top: Path, via: Path | None) -> Path:
    lines = [
        f'user = "{getpass.getuser()}"',
        f'key = "{top / "id"}"',
        f'known_hosts = "{top / "known_hosts"}"',
        f'directory = "{top}"',
        *([f'via = "unix:{via}"'] if via is not None else []),
    ]
    for host in hosts:
        lines += ["", "[[hosts]]", f'name = "{host.name}"', f'address = "{host.address}"']
    path = top / "lab.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


async def _make_key(path: Path) -> None:
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


async def _unused_network() -> str:
    """The first three bytes of a network that no route of this machine leads to."""
    routes = (await _ip("-4", "route", "show", "table", "all")).split()
    for _ in range(1000):
        network = f"10.{secrets.randbelow(100) + 100}.{secrets.randbelow(256)}"
        if not any(word.startswith(f"{network}.") for word in routes):
            return network
    raise Unsupported(_WHERE, "every network of 10.100.0.0/14 tried is in use", "free one")


@contextlib.asynccontextmanager
async def _uplink(keeper: int, network: str) -> AsyncIterator[None]:
    """Join the lab's bridge to this machine; the kernel removes it with the lab."""
    name = f"momus{secrets.token_hex(4)}"
    await _ip("link", "add", name, "type", "veth", "peer", "name", "up0", "netns", str(keeper))
    try:
        inside = ("nsenter", "-t", str(keeper), "-n", "--")
        up = (*inside, "ip", "link", "set", "up0", "master", "momus0", "up")
        await spawn(_WHERE, up, up, b"", 10, True)
        await _ip("addr", "add", f"{network}.253/24", "dev", name)
        await _ip("link", "set", name, "up")
        yield
    finally:
        gone = ("ip", "link", "del", name)  # it may be gone already, with the lab
        await spawn(_WHERE, gone, gone, b"", 10, False)


async def _ip(*words: str) -> str:
    argv = ("ip", *words)
    return (await spawn(_WHERE, argv, argv, b"", 10, True)).text


async def _serve(n: int) -> None:
    async with ssh_lab(n) as lab:
        print(f"{n} SSH hosts are up: momus run etcd --hosts {lab.lab_toml}", flush=True)
        print("Ctrl-C takes them down.", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
