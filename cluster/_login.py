"""Logging in to an SSH host: the way there, its key, our key.

The way is a TCP connection, a proxy command, or a socket from the keeper of a lab on this
machine.  The host must show a key that is known, unless the lab file says otherwise; one
that differs from the known key is refused always.  We show the key that the lab file
names, or else those of the agent and of ``~/.ssh``.

Everything here blocks, and every wait has a deadline.  `TCP_NODELAY` is set, without it
each new channel costs 40 ms (Nagle's algorithm on this side, delayed acknowledgements on
the other).
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
from typing import Final

import paramiko

from cluster._host import HostError
from cluster._labfile import SshSettings
from cluster._namespaces import lab_socket

_KEEPALIVE_S: Final = 5

# What goes wrong is raised; without a handler paramiko prints it besides.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


def log_in(settings: SshSettings) -> paramiko.SSHClient:
    """Connect and authenticate; the host's key must be known, unless the lab says otherwise."""
    client = paramiko.SSHClient()
    known = settings.known_hosts
    try:
        if known is None:
            client.load_system_host_keys()
        elif os.path.exists(known):
            client.load_system_host_keys(known)
    except (OSError, paramiko.SSHException) as error:
        raise HostError(
            settings.name, f"cannot read known hosts: {error}", f"mend {known}"
        ) from error
    if settings.unknown_hosts == "accept":
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    else:
        client.set_missing_host_key_policy(_Refuse(settings))
    try:
        sock = open_socket(settings, settings.port, settings.connect_timeout_s)
    except OSError as error:
        raise HostError(
            settings.name,
            f"cannot reach {settings.address} port {settings.port}: {error}",
            "see whether the host is up, and address and port in the lab file",
        ) from error
    timeout_s = settings.connect_timeout_s
    try:
        client.connect(
            settings.address,
            port=settings.port,
            username=settings.user,
            key_filename=settings.key,
            allow_agent=settings.key is None,
            look_for_keys=settings.key is None,
            sock=sock,
            timeout=timeout_s,
            banner_timeout=timeout_s,
            auth_timeout=timeout_s,
            channel_timeout=timeout_s,
        )
    except HostError:
        client.close()
        sock.close()
        raise
    except (OSError, EOFError, paramiko.SSHException) as error:
        client.close()
        sock.close()
        raise HostError(
            settings.name,
            f"cannot log in as {settings.user}: {str(error) or type(error).__name__}",
            _advice(settings, error),
        ) from error
    transport = client.get_transport()
    assert transport is not None
    transport.set_keepalive(_KEEPALIVE_S)
    return client


def open_socket(settings: SshSettings, port: int, timeout_s: float) -> socket.socket:
    """A connected socket to a port of the host, on the way that the lab file says."""
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
    return sock


def _proxied(settings: SshSettings, port: int) -> socket.socket:
    """One end of a socket pair; on the other the proxy command speaks, as OpenSSH has it."""
    stands_for = {"%h": settings.address, "%p": str(port), "%r": settings.user, "%%": "%"}
    argv = [_replaced(word, stands_for) for word in settings.proxy_command]
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            end = theirs.fileno()
            subprocess.Popen(argv, stdin=end, stdout=end, start_new_session=True)
        except OSError:
            ours.close()
            raise
    return ours


def _replaced(word: str, stands_for: dict[str, str]) -> str:
    parts = []
    at = 0
    while at < len(word):
        pair = word[at : at + 2]
        parts.append(stands_for.get(pair, word[at]))
        at += 2 if pair in stands_for else 1
    return "".join(parts)


class _Refuse(paramiko.MissingHostKeyPolicy):
    def __init__(self, settings: SshSettings) -> None:
        self._settings = settings

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        """Refuse, and say how to get to know the host."""
        del client
        raise HostError(
            self._settings.name,
            f"the host key of {hostname} ({key.get_name()}, {key.fingerprint}) is not in "
            f"{self._settings.known_hosts or '~/.ssh/known_hosts'}",
            "compare the fingerprint on the host and add the key (ssh-keyscan), or write "
            'unknown_hosts = "accept" in the lab file',
        )


def _advice(settings: SshSettings, error: BaseException) -> str:
    if isinstance(error, paramiko.BadHostKeyException):
        return (
            f"the host's key differs from that in {settings.known_hosts or '~/.ssh/known_hosts'}: "
            "if the host was installed anew remove the old key, else somebody is in between"
        )
    if isinstance(error, paramiko.AuthenticationException):
        key = settings.key or "a key of the agent or of ~/.ssh"
        return f"see that {key} is among the authorized keys of {settings.user} there"
    return "see the log of sshd on the host"
