"""Which host keys are known: OpenSSH's ``known_hosts`` files, read as OpenSSH reads them.

A line holds for a host by name, by pattern (``*``, ``?``, ``!``), by ``[name]:port`` or by a
hash of the name; ``@revoked`` forbids a key for ever.  A host that has any known key is a
known host: when it shows another one, also one of another type, its key has *changed*, and
nothing but the user can make that good.  (A man in the middle who offers a type that we have
not seen yet must not pass for a new host.)

``@cert-authority`` lines name authorities that vouch for hosts; see `_host_certificates`.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

Standing: TypeAlias = Literal["known", "unknown", "changed", "revoked"]
PORT: Final = 22
FILES: Final = (
    "~/.ssh/known_hosts",
    "~/.ssh/known_hosts2",
    "/etc/ssh/ssh_known_hosts",
    "/etc/ssh/ssh_known_hosts2",
)
"""Where OpenSSH looks, and we do unless told otherwise."""
_appending = threading.Lock()


@dataclass(frozen=True)
class HostKey:
    """A public key: its type as in a key file (``ssh-ed25519``), and its bytes."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` writes it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")
        return f"SHA256:{digest}"


@dataclass(frozen=True)
class KnownHost:
    """All that the files say of one host.

    `keys` are those of the host at its port, `by_name` those of the same name without a port,
    which are believed at any port; `authorities` are the keys that may vouch for the host.
    """

    keys: frozenset[HostKey]
    by_name: frozenset[HostKey]
    revoked: frozenset[HostKey]
    authorities: frozenset[HostKey]

    def standing(self, key: HostKey) -> Standing:
        """What is to be thought of a host that shows `key`."""
        if key in self.revoked:
            return "revoked"
        if key in self.keys or (key in self.by_name and not self.keys):
            return "known"
        return "changed" if self.keys else "unknown"

    @property
    def kinds(self) -> frozenset[str]:
        """The types of key to ask the host for first."""
        return frozenset(key.kind for key in self.keys or self.by_name)


def known_host(files: Iterable[str], name: str, port: int) -> KnownHost:
    """What is known of a host; raises `OSError` if a file is there and cannot be read."""
    lines = [line for file in files for line in _lines(file)]
    spelled = spelling(name, port)
    here = [line for line in lines if _matches(line.hosts, spelled)]
    plain = [line for line in lines if _matches(line.hosts, name.lower())]
    return KnownHost(
        frozenset(line.key for line in here if line.mark == ""),
        frozenset(line.key for line in plain if line.mark == ""),
        frozenset(line.key for line in [*here, *plain] if line.mark == "@revoked"),
        frozenset(line.key for line in [*here, *plain] if line.mark == "@cert-authority"),
    )


def add_known_host(file: str, name: str, port: int, key: HostKey) -> None:
    """Append a key to the file, which is made if need be; in one write, so lines stay whole."""
    path = Path(file).expanduser()
    line = f"{spelling(name, port)} {key.kind} {base64.b64encode(key.blob).decode()}\n"
    with _appending:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = path.read_bytes() if path.exists() else b""
        start = "" if not content or content.endswith(b"\n") else "\n"
        target = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(target, (start + line).encode())
        finally:
            os.close(target)


def spelling(name: str, port: int) -> str:
    """How known_hosts spells a host at a port."""
    return name.lower() if port == PORT else f"[{name.lower()}]:{port}"


@dataclass(frozen=True)
class _Line:
    mark: str
    hosts: str
    key: HostKey


def _lines(file: str) -> Iterator[_Line]:
    """The lines that mean something; others are passed over, as OpenSSH does."""
    path = Path(file).expanduser()
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    for raw in content.splitlines():
        words = raw.split()
        mark = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#"):
            continue
        try:
            blob = base64.b64decode(words[2], validate=True)
        except (binascii.Error, ValueError):
            continue
        yield _Line(mark, words[0], HostKey(words[1], blob))


def _matches(hosts: str, name: str) -> bool:
    if hosts.startswith("|"):
        return _is_hash_of(hosts.split("|"), name)
    patterns = hosts.lower().split(",")
    if any(each.startswith("!") and fits(each[1:], name) for each in patterns):
        return False
    return any(fits(each, name) for each in patterns if not each.startswith("!"))


def fits(pattern: str, name: str) -> bool:
    """Does the name match the pattern, in which ``*`` and ``?`` stand for anything?"""
    # Brackets are part of a name here, never a choice of characters.
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def _is_hash_of(parts: Sequence[str], name: str) -> bool:
    """``|1|SALT|HASH``: the HMAC-SHA1 of the name under the salt."""
    if len(parts) != 4 or parts[1] != "1":
        return False
    try:
        salt, digest = base64.b64decode(parts[2]), base64.b64decode(parts[3])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)
