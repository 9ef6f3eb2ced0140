"""Logging in to an SSH host: the way there, its key, our key.

The way is a TCP connection, a jump host (itself logged in to), a proxy command, or a socket
from the keeper of a lab on this machine.  The host must show a key that is known, unless the
lab says that new hosts are accepted, or a certificate of a known authority; one that differs
from the known key is refused always.
Then we show keys: those of the lab file, or else those of OpenSSH's configuration, of the
agent and of ``~/.ssh``.  There are no passwords and no passphrases: whoever has a key with a
passphrase has an agent.

Everything here blocks, and every wait has a deadline.  `TCP_NODELAY` is set, without it
each new channel costs 40 ms (Nagle's algorithm on this side, delayed acknowledgements on
the other); `TCP_USER_TIMEOUT` is set so that a host which falls silent is noticed.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import paramiko
from paramiko.agent import AgentSSH
from paramiko.ssh_exception import IncompatiblePeer

from cluster._host import HostError
from cluster._host_certificates import SUFFIX, certificate_trouble
from cluster._known_hosts import PORT, HostKey, add_known_host, known_host
from cluster._labfile import SshSettings
from cluster._namespaces import lab_socket

_SILENCE_MAX_S: Final = 20.0
"""A connection on which the other side acknowledges nothing for this long has ended."""
_PROXY_END_S: Final = 0.2
_AGENT_TIMEOUT_S: Final = 30.0
_KEYS_TRIED_MAX: Final = 6
"""sshd hangs up on whoever tries more (MaxAuthTries)."""
_ALGORITHMS: Final = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
"""By which algorithms a type of key signs, where that is not its own name."""
_CERTIFIED: Final = ("ssh-ed25519", "ecdsa-", "rsa-sha2-")
"""How algorithms begin of which there is one for certificates."""
_USUAL_KEYS: Final = ("id_ed25519", "id_ecdsa", "id_rsa")

# What goes wrong is raised; without a handler paramiko prints it besides.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Unreachable(HostError):
    """There was no connection, or it was lost before we were in; trying again may help."""


@dataclass(frozen=True)
class Login:
    """A connection on which we are logged in, and the one to the jump host it runs through."""

    transport: paramiko.Transport
    through: Login | None

    @property
    def is_active(self) -> bool:
        """Does the connection stand, as far as we have heard?"""
        return self.transport.is_active()

    def close(self) -> None:
        """End the connection, and those it ran through."""
        self.transport.close()
        if self.through is not None:
            self.through.close()


def log_in(settings: SshSettings, deadline: float) -> Login:
    """Connect and authenticate; raises `Unreachable`, or `HostError` where trying again is vain.

    Each step may take `connect_timeout_s`, and all of them until `deadline` (monotonic).
    """
    through = log_in(settings.jump, deadline) if settings.jump is not None else None
    try:
        return Login(_log_in(settings, deadline, through), through)
    except BaseException:
        if through is not None:
            through.close()
        raise


def _log_in(settings: SshSettings, deadline: float, through: Login | None) -> paramiko.Transport:
    try:
        known = known_host(settings.known_hosts, *_known_as(settings))
    except OSError as error:
        raise HostError(
            settings.name, f"cannot read known hosts: {error}", f"mend {error.filename}"
        ) from error
    try:
        sock = open_way(settings, settings.port, _left(settings, deadline), through)
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise Unreachable(
            settings.name,
            f"cannot reach {settings.address} port {settings.port}{_by(settings)}: {_said(error)}",
            "see whether the host is up, and address and port in the lab file",
        ) from error
    transport = paramiko.Transport(sock)
    try:
        transport.banner_timeout = transport.auth_timeout = _left(settings, deadline)
        options = transport.get_security_options()
        wanted = [name for kind in known.kinds for name in _ALGORITHMS.get(kind, (kind,))]
        ranked = sorted(options.key_types, key=lambda name: name not in wanted)
        # Where an authority may vouch for the host, a certificate is wanted before a bare key.
        vouched = [f"{name}{SUFFIX}" for name in ranked if name.startswith(_CERTIFIED)]
        options.key_types = [*(vouched if known.authorities else ()), *ranked]
        _shake_hands(transport, settings, deadline)
        _prove_host(transport, settings)
        _prove_us(transport, settings)
    except BaseException:
        transport.close()
        with contextlib.suppress(OSError):
            sock.close()
        raise
    transport.set_keepalive(max(1, round(settings.keepalive_s)))
    return transport


def open_way(
    settings: SshSettings, port: int, timeout_s: float, through: Login | None = None
) -> socket.socket | paramiko.Channel:
    """A stream to a port of the host, on the way that the lab file says."""
    if through is not None:
        there = (settings.address, port)
        return through.transport.open_channel(
            "direct-tcpip", there, ("127.0.0.1", 0), timeout=timeout_s
        )
    if settings.proxy_command:
        return _proxied(settings, port)
    if settings.via is not None:
        sock = lab_socket(settings.via.removeprefix("unix:"))
        try:
            sock.settimeout(timeout_s)
            sock.connect((settings.address, port))
        except BaseException:
            sock.close()
            raise
    else:
        sock = socket.create_connection((settings.address, port), timeout_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(_SILENCE_MAX_S * 1000))
    return sock


def _shake_hands(transport: paramiko.Transport, settings: SshSettings, deadline: float) -> None:
    try:
        transport.start_client(timeout=_left(settings, deadline))
    except IncompatiblePeer as error:
        raise HostError(
            settings.name,
            f"its sshd and paramiko have no algorithm in common: {_said(error)}",
            "bring OpenSSH on the host up to date (8.0 or newer)",
        ) from error
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise Unreachable(
            settings.name,
            f"no SSH at {settings.address} port {settings.port}{_by(settings)}: {_said(error)}",
            "see the log of sshd on the host",
        ) from error


def _prove_host(transport: paramiko.Transport, settings: SshSettings) -> None:
    """Believe the host's key, or refuse."""
    shown = transport.get_remote_server_key()
    name, port = _known_as(settings)
    known = known_host(settings.known_hosts, name, port)
    certificate = shown.public_blob
    key = HostKey(shown.get_name(), shown.asbytes())
    files = settings.known_hosts[0] if settings.known_hosts else "known_hosts"
    why = ""
    if certificate is not None:
        card = HostKey(certificate.key_type, certificate.key_blob)
        why = certificate_trouble(card, key, known, name, time.time()) or ""
    elif known.authorities:
        why = "it shows no certificate, though an authority is to vouch for it"
    standing = known.standing(key)
    if certificate is not None and not why and standing != "revoked":
        return
    # A host for which an authority is to vouch is none to be taken on trust.
    trusting = settings.host_keys == "accept-new" and not why
    if standing == "unknown" and trusting and settings.known_hosts:
        add_known_host(settings.known_hosts[0], name, port, key)
        standing = "known"
    if standing == "known":
        return
    what = f"the host key of {name} ({key.kind}, {key.fingerprint})"
    if standing == "unknown":
        raise HostError(
            settings.name,
            f"{what} is not in {files}{', and ' if why else ''}{why}",
            "compare the fingerprint on the host and add the key "
            f"(ssh-keyscan -p {port} {name} >> {files}), or "
            + ("mend the certificate" if why else 'write host_keys = "accept-new" in the lab file'),
        )
    raise HostError(
        settings.name,
        f"{what} {'is revoked in' if standing == 'revoked' else 'differs from that in'} {files}",
        "if the host was installed anew remove the old key, else somebody is in between",
    )


def _prove_us(transport: paramiko.Transport, settings: SshSettings) -> None:
    """Show our keys, one after the other, until one is good."""
    locked: list[str] = []
    tried = 0
    refused: BaseException | None = None
    with contextlib.closing(_keys(settings, locked)) as keys:
        for key in keys:
            tried += 1
            try:
                if not transport.auth_publickey(settings.user, key):
                    return
                refused = paramiko.AuthenticationException("the host wants more than a key")
            except (paramiko.AuthenticationException, IncompatiblePeer) as error:
                refused = error
            except (OSError, EOFError, paramiko.SSHException) as error:
                raise Unreachable(
                    settings.name,
                    f"the connection was lost while logging in as {settings.user}: {_said(error)}",
                    "see the log of sshd on the host",
                ) from error
            if tried == _KEYS_TRIED_MAX:
                break
    shown = ", ".join(settings.keys) or "a key of the agent or of ~/.ssh"
    if locked:
        advice = f"{locked[0]} has a passphrase: add it to the agent (ssh-add {locked[0]})"
    elif not tried:
        advice = f"there is no private key: make one (ssh-keygen) or name one; looked for {shown}"
    else:
        advice = f"see that {shown} is among the authorized keys of {settings.user} there"
    said = _said(refused) if refused else "no key to show"
    raise HostError(settings.name, f"cannot log in as {settings.user}: {said}", advice) from refused


def _keys(settings: SshSettings, locked: list[str]) -> Generator[paramiko.PKey, None, None]:
    """The private keys to try, each once; files whose passphrase we lack go to `locked`."""
    named = settings.keys
    if not named and not settings.identities_only:
        named = tuple(os.path.expanduser(f"~/.ssh/{each}") for each in _USUAL_KEYS)
    agent = _agent(settings)
    try:
        held = {key.asbytes(): key for key in agent.get_keys()} if agent is not None else {}
        shown = set()
        for path in named:
            key = _from_file(path, locked)
            if key is None:
                continue
            shown.add(key.asbytes())
            yield key
        ours = {_public(path) for path in (*named, *locked)}
        for blob, key in held.items():
            if blob not in shown and (not settings.identities_only or blob in ours):
                yield key
    finally:
        if agent is not None:
            agent.close()


def _from_file(path: str, locked: list[str]) -> paramiko.PKey | None:
    """The key in a file; None if there is none, or none that we can read."""
    if not os.path.isfile(path):
        return None
    try:
        return paramiko.PKey.from_path(path)
    except (paramiko.PasswordRequiredException, TypeError):  # cryptography raises the latter
        locked.append(path)
    except (paramiko.SSHException, paramiko.pkey.UnknownKeyType, ValueError, OSError):
        logging.getLogger("cluster.ssh").warning("%s is no private key that can be used", path)
    return None


def _public(path: str) -> bytes:
    """The public half that lies beside a private key, which an agent may hold."""
    try:
        with open(f"{path}.pub", encoding="utf-8") as file:
            return base64.b64decode(file.read().split()[1])
    except (OSError, ValueError, IndexError):
        return b""


class _AgentAt(AgentSSH):
    """The agent that listens at a socket file; an answer it owes comes in time or never."""

    def __init__(self, path: str) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(_AGENT_TIMEOUT_S)
            connection.connect(path)
            self._connect(connection)  # type: ignore[attr-defined]
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        self._close()  # type: ignore[attr-defined]


def _agent(settings: SshSettings) -> _AgentAt | None:
    """The agent to ask; none where a key was named that can be read without."""
    named = settings.agent
    if named == "none":
        return None
    path = os.environ.get("SSH_AUTH_SOCK") if named in (None, "SSH_AUTH_SOCK") else named
    try:
        return _AgentAt(os.path.expanduser(path)) if path else None
    except (OSError, paramiko.SSHException):
        return None


def _known_as(settings: SshSettings) -> tuple[str, int]:
    """Under which name and port known_hosts has the host; an alias stands for both."""
    if settings.host_key_alias:
        return settings.host_key_alias, PORT
    return settings.address, settings.port


def _left(settings: SshSettings, deadline: float) -> float:
    return max(0.1, min(settings.connect_timeout_s, deadline - time.monotonic()))


def _by(settings: SshSettings) -> str:
    return f" by way of {settings.jump.address}" if settings.jump is not None else ""


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _proxied(settings: SshSettings, port: int) -> socket.socket:
    """One end of a socket pair; on the other the proxy command speaks, as OpenSSH has it."""
    stands_for = {"%h": settings.address, "%p": str(port), "%r": settings.user, "%%": "%"}
    return piped([filled_in(word, stands_for) for word in settings.proxy_command])


def piped(argv: Sequence[str]) -> socket.socket:
    """A socket that is the standard input and output of a command on this machine."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            end = theirs.fileno()
            process = subprocess.Popen(argv, stdin=end, stdout=end, start_new_session=True)
        except OSError:
            ours.close()
            raise
    return _ProxySocket(ours, process)


class _ProxySocket(socket.socket):
    """Our end of the pair; the proxy command ends when it is closed."""

    def __init__(self, ours: socket.socket, process: subprocess.Popen[bytes]) -> None:
        super().__init__(fileno=ours.detach())
        self._process = process

    def close(self) -> None:
        super().close()
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_PROXY_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def filled_in(word: str, stands_for: Mapping[str, str]) -> str:
    """The word with ``%x`` replaced; nothing that is put in is looked at again."""
    parts = []
    at = 0
    while at < len(word):
        pair = word[at : at + 2]
        parts.append(stands_for.get(pair, word[at]))
        at += 2 if pair in stands_for else 1
    return "".join(parts)
