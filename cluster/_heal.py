"""Mending what a killed run left behind, from its journal alone.

`heal` finds the journals below a path and, for each whose run is over, makes the hosts of
its open entries again from their specs and runs the undo commands, newest first, hosts in
parallel.  An undone entry is closed in the journal, so healing twice does nothing more;
an entry that could not be undone stays open and is told of, with the reason.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from cluster._host import Host, HostError, HostSpec
from cluster._journal import JOURNAL_NAME, Entry, Journal, is_running
from cluster._local import LocalHost
from cluster._namespaces import NamespaceHost, namespace_host
from cluster._ssh import SshHost, ssh_host
from cluster._transports import foreign_host

Outcome: TypeAlias = Literal["undone", "gone", "failed", "unreachable", "running"]
_UNDO_TIMEOUT_S: Final = 30.0
_END_TIMEOUT_S: Final = 5.0
_POLL_S: Final = 0.05


@dataclass(frozen=True)
class Healed:
    """What became of one open entry.

    `undone`: its commands ran.  `gone`: the host itself is gone, and the fault with it.
    `failed`, `unreachable`: still open, `detail` says why.  `running`: its run goes on.
    """

    journal: str
    id: str
    run: str
    kind: str
    host: str
    outcome: Outcome
    detail: str = ""

    @property
    def settled(self) -> bool:
        """Nothing is left of it."""
        return self.outcome in ("undone", "gone")


def host_from_spec(spec: HostSpec) -> Host:
    """A host again from what its `spec()` gave, in this or another process."""
    match spec.get("kind"):
        case "local":
            return LocalHost(spec["name"], spec["directory"])
        case "netns":
            return namespace_host(spec)
        case "ssh":
            return ssh_host(spec)
        case str():
            return foreign_host(spec)
        case other:
            raise ValueError(f"host spec of kind {other!r}; a kind is a word")


async def heal(path: str | os.PathLike[str], *, even_running: bool = False) -> list[Healed]:
    """Undo every open entry of the journals at or below `path`.

    `path` is a journal, a run's directory or a whole store.  Runs whose driver is still
    at work are left alone, unless `even_running`.
    """
    healed: list[Healed] = []
    for journal in journals(path):
        healed += await _heal_journal(journal, even_running)
    return healed


def journals(path: str | os.PathLike[str]) -> list[Path]:
    """The journals at or below a path, each once."""
    top = Path(path)
    if top.is_file():
        return [top]
    # A file system whose program has died, left behind by the run that is to be healed, cannot
    # be looked into; that must not keep us from its journal.
    walked = os.walk(top)
    found = {Path(where, JOURNAL_NAME) for where, _, files in walked if JOURNAL_NAME in files}
    return sorted({each.resolve() for each in found})


async def _heal_journal(path: Path, even_running: bool) -> list[Healed]:
    entries = Journal.open_entries(path)
    if not entries:
        return []
    why = _why_not_ours(path)
    if why:
        return [_told(path, entry, "failed", why) for entry in entries]
    if not even_running and any(is_running(writer) for writer in Journal.writers(path)):
        return [_told(path, entry, "running", "its run goes on") for entry in entries]
    # Directories come last, since the pid files by which daemons are known are in them.
    healed = await _heal_hosts(path, [each for each in entries if each.kind != "directory"])
    undone = {one.id for one in healed if one.settled}
    needed = [e.host["directory"] for e in entries if e.kind != "directory" and e.id not in undone]
    free: list[Entry] = []
    kept: list[Entry] = []
    for entry in entries:
        if entry.kind == "directory":
            is_needed = any(_is_in(each, entry.note["directory"]) for each in needed)
            (kept if is_needed else free).append(entry)
    healed += await _heal_hosts(path, free)
    why = "kept until the daemons known by its files are ended"
    healed += [_told(path, entry, "failed", why) for entry in kept]
    settled = [one.id for one in healed if one.settled]
    if settled:
        await asyncio.to_thread(Journal.mark_closed, path, settled, "heal")
    return healed


def _why_not_ours(path: Path) -> str:
    """Why the commands in this journal should not be run by us; "" if they may.

    A journal is a list of commands, some for root: whoever could write it could run them.
    """
    found = path.stat()
    trusted = {os.geteuid(), 0, int(os.environ.get("SUDO_UID", "0"))}
    if found.st_uid not in trusted:
        return f"it is the journal of user {found.st_uid}; chown it if you trust its commands"
    if found.st_mode & 0o002:
        return "everybody may write its journal; chmod o-w it if you trust its commands"
    return ""


async def _heal_hosts(path: Path, entries: Sequence[Entry]) -> list[Healed]:
    """Undo entries, hosts in parallel, the entries of each host in the order given."""
    by_host: dict[bytes, list[Entry]] = {}
    for entry in entries:
        by_host.setdefault(msgspec.json.encode(entry.host, order="sorted"), []).append(entry)
    groups = await asyncio.gather(*(_heal_host(path, each) for each in by_host.values()))
    return [one for group in groups for one in group]


async def _heal_host(path: Path, entries: Sequence[Entry]) -> list[Healed]:
    """Undo the entries of one host, in the order given."""
    try:
        host = host_from_spec(entries[0].host)
    except (HostError, ValueError, KeyError, TypeError) as error:
        return [_told(path, entry, "failed", str(error)) for entry in entries]
    try:
        gone = [_told(path, entry, "gone", "its namespace is gone") for entry in entries]
        if await _is_gone(host, 0.0):
            return gone
        healed = [await _undo(path, host, entry) for entry in entries]
        # A namespace ends a moment after its driver: perhaps just while we were at it.
        if all(one.settled for one in healed) or not await _is_gone(host, _END_TIMEOUT_S):
            return healed
        return gone
    finally:
        await host.close()


async def _is_gone(host: Host, within_s: float) -> bool:
    """Has the host's namespace ended, or does it within this time?  Machines never do."""
    if not isinstance(host, (NamespaceHost, SshHost)):
        return False
    deadline = time.monotonic() + within_s
    while not await asyncio.to_thread(host.is_gone):
        if isinstance(host, SshHost) or time.monotonic() >= deadline:
            return False
        await asyncio.sleep(_POLL_S)
    return True


async def _undo(path: Path, host: Host, entry: Entry) -> Healed:
    for argv in entry.undo:
        try:
            done = await host.run(argv, timeout_s=_UNDO_TIMEOUT_S, check=False, sudo=entry.sudo)
        except HostError as error:
            return _told(path, entry, "unreachable", str(error))
        if done.code != 0:
            said = done.stderr.decode("utf-8", "replace").strip()
            return _told(path, entry, "failed", f"`{argv[0]}` exited with {done.code}: {said}")
    return _told(path, entry, "undone", "")


def _is_in(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")


def _told(path: Path, entry: Entry, outcome: Outcome, detail: str) -> Healed:
    name = str(entry.host.get("name", "?"))
    return Healed(str(path), entry.id, entry.run, entry.kind, name, outcome, detail)
