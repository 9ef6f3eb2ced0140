"""The undo journal: what must be mended, written down before it is broken.

Whoever is about to touch a host first opens an entry with the commands that undo it; the
entry is on disk (fsync) before the host hears of anything, and is closed when the undo
has run.  So whatever moment the driver is killed at, the open entries of ``faults.jsonl``
name everything that may be left on any host, and `heal` runs their undo commands.  An
entry whose host was never touched is harmless, since undo commands are idempotent and
find only what momus made.

The first line says which process writes (pid, start time, boot), so that `heal` can tell
the journal of a run that goes on from one that was left behind.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol

import msgspec

from cluster._host import HostSpec

JOURNAL_NAME: Final = "faults.jsonl"


class _Specified(Protocol):
    """All the journal needs of a host: how to find it again."""

    def spec(self) -> HostSpec: ...


@dataclass(frozen=True)
class Entry:
    """One thing to undo: on `host`, by the commands `undo`, as root where `sudo`."""

    id: str
    run: str
    kind: str
    host: HostSpec
    undo: tuple[tuple[str, ...], ...]
    note: dict[str, Any]
    sudo: bool
    closed: bool


class Journal:
    """The journal of one run; append-only, every line synced before `open` or `close` returns.

    Invariant: an id is closed at most once, and only after it was opened.  Safe to share
    between threads.
    """

    def __init__(self, path: str | os.PathLike[str], run: str | None = None) -> None:
        self.path = Path(path)
        self.run = run or uuid.uuid4().hex[:12]
        self._lock = threading.Lock()
        self._open: set[str] = set()
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        _end_torn_line(self._file, self.path)
        self._append({"do": "begin", "run": self.run, "driver": driver_identity()})
        _sync_directory(self.path.parent)

    def open(
        self,
        kind: str,
        host: _Specified,
        undo: Sequence[Sequence[str]],
        note: dict[str, Any] | None = None,
        *,
        sudo: bool = False,
    ) -> str:
        """Write down how to undo what is about to be done to `host`; returns the entry's id.

        When this returns the entry is on disk, and the host may be touched.
        """
        entry_id = uuid.uuid4().hex
        self._append(
            {
                "do": "open",
                "id": entry_id,
                "run": self.run,
                "kind": kind,
                "host": host.spec(),
                "undo": [list(argv) for argv in undo],
                "note": note or {},
                "sudo": sudo,
                "at": time.time(),
            }
        )
        self._open.add(entry_id)
        return entry_id

    def close(self, entry_id: str) -> None:
        """It has been undone."""
        if entry_id not in self._open:
            raise ValueError(f"journal entry {entry_id} is not open; was it closed before?")
        self._open.remove(entry_id)
        self._append({"do": "close", "id": entry_id, "at": time.time()})

    @property
    def open_ids(self) -> frozenset[str]:
        """What this process has opened and not closed."""
        return frozenset(self._open)

    def end(self) -> None:
        """Let go of the file; open entries stay open, for `heal`."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    @staticmethod
    def entries(path: str | os.PathLike[str]) -> list[Entry]:
        """Every entry of a journal, oldest first.

        A torn last line is what a killed driver leaves: its host was not yet touched.
        """
        opened: dict[str, dict[str, Any]] = {}
        closed: set[str] = set()
        for line in _lines(Path(path)):
            if line.get("do") == "open":
                opened[line["id"]] = line
            elif line.get("do") == "close":
                closed.add(line["id"])
        return [
            Entry(
                id=line["id"],
                run=line["run"],
                kind=line["kind"],
                host=line["host"],
                undo=tuple(tuple(argv) for argv in line["undo"]),
                note=line["note"],
                sudo=line["sudo"],
                closed=line["id"] in closed,
            )
            for line in opened.values()
        ]

    @staticmethod
    def open_entries(path: str | os.PathLike[str]) -> list[Entry]:
        """What still has to be undone, newest first: the order in which to undo it."""
        return [entry for entry in reversed(Journal.entries(path)) if not entry.closed]

    @staticmethod
    def mark_closed(path: str | os.PathLike[str], ids: Iterable[str], by: str) -> None:
        """Close entries of a journal whose own process is gone."""
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            _end_torn_line(file, Path(path))
            now = time.time()
            lines = [{"do": "close", "id": each, "by": by, "at": now} for each in ids]
            os.write(file, b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
            os.fsync(file)
        finally:
            os.close(file)

    @staticmethod
    def writers(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
        """The processes that have written this journal."""
        return [line["driver"] for line in _lines(Path(path)) if line.get("do") == "begin"]

    def _append(self, line: dict[str, Any]) -> None:
        data = msgspec.json.encode(line) + b"\n"
        with self._lock:
            if self._file < 0:
                raise ValueError(f"the journal {self.path} has ended; nothing may be touched now")
            written = os.write(self._file, data)
            if written != len(data):
                raise OSError(f"{self.path}: wrote {written} of {len(data)} bytes; disk full?")
            os.fsync(self._file)


def driver_identity() -> dict[str, Any]:
    """This process, as `identity` has it."""
    return identity(os.getpid())


def identity(pid: int) -> dict[str, Any]:
    """A process that runs: pid, start time in clock ticks since boot, boot id."""
    return {"pid": pid, "start": start_time(pid), "boot": boot_id()}


def is_running(identity: dict[str, Any]) -> bool:
    """Does the process named by `driver_identity` still run on this machine?"""
    if identity.get("boot") != boot_id():
        return False
    return start_time(int(identity["pid"])) == identity.get("start")


def boot_id() -> str:
    """The machine's boot, as a random name."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """When the process began, in clock ticks since boot; None if there is none or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    for raw in path.read_bytes().split(b"\n"):
        try:
            line = msgspec.json.decode(raw)
        except msgspec.DecodeError:
            continue  # torn: the process died while writing it, before touching the host
        if isinstance(line, dict):
            yield line


def _end_torn_line(file: int, path: Path) -> None:
    """Start on a fresh line, lest a torn one swallow ours."""
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        os.write(file, b"\n")


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
