"""The crash-safe recorder: events go to disk in groups, each group under a checksum.

`record` checks an event, encodes it and appends it to a buffer; it never waits for the
disk.  A thread takes the buffer every 50 ms, adds a checksum line and writes both with one
call; a second one syncs, so a slow disk does not hold up the next group.  The process may be
killed at any moment: the file then ends in a prefix of a group, which readers drop, and
everything before it verifies.

The recorder refuses what would make the history meaningless: a completion without an
invocation, two open invocations on one process, a process that goes on after an `info`,
time that runs backwards.  A refused event leaves no trace.
"""

from __future__ import annotations

import atexit
import os
import threading
import zlib
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from engine import _native
from histories._event import Event, EventType, Json, Process
from histories._files import locked, sync_folder
from histories._flaws import RecorderFailed, RecorderMisuse
from histories._json import ATOMS, VALUE_BYTES_MAX, canonical, encode, refuse_strangers

FLUSH_INTERVAL_S: Final = 0.05
_TIME_MAX: Final = 2**63 - 1
_PROCESS_MAX: Final = 2**31 - 1
_LONG_LINE_BYTES: Final = 900
"""Shorter lines are within every limit of the readers."""


def header_line(meta: Mapping[str, Json]) -> bytes:
    """The first line of a checksummed file."""
    return b'{"momus":"history","version":1,"checksums":true,"meta":%s}\n' % canonical(dict(meta))


def checksum_line(crc: int, events: int, *, closed: bool) -> bytes:
    """The line that covers every byte before it; `crc` is their CRC-32."""
    ending = b',"closed":true}\n' if closed else b"}\n"
    return b'{"checksum":"crc32:%08x","events":%d%s' % (crc, events, ending)


class Recorder:
    """Appends events to a new file.  Safe for use from several threads.

    `durable` is the number of events known to be on disk; an event gets there within
    about `flush_interval_s` and the time one fsync takes.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        meta: Mapping[str, Json] | None = None,
        *,
        flush_interval_s: float = FLUSH_INTERVAL_S,
    ) -> None:
        self.path: Final = os.fspath(path)
        self.durable = 0
        self._lock = threading.Lock()
        # Guards `durable` and the five fields below it, by which the threads tell each other.
        self._progress = threading.Condition(threading.Lock())
        self._groups_written = 0
        self._groups_synced = 0
        self._events_written = 0
        self._writer_done = False
        self._failure: OSError | None = None
        self._wake = threading.Event()
        self._buffer: list[bytes] = []
        self._recorded = 0
        self._last_time = -(2**63)
        self._open: dict[int, str] = {}
        self._retired: set[int] = set()
        self._closing = False
        self._closed = False
        self._crc = 0
        self._flush_interval_s = flush_interval_s
        self._file = self._created(header_line(meta or {}))
        self._threads = [
            threading.Thread(target=work, name=f"recorder {self.path}", daemon=True)
            for work in (self._write_groups, self._sync_groups)
        ]
        for thread in self._threads:
            thread.start()
        atexit.register(self.close)

    def _created(self, header: bytes) -> int:
        try:
            file = locked(self.path, os.O_EXCL | os.O_APPEND)
        except FileExistsError:
            raise RecorderMisuse(
                f"{self.path} exists; a history is never appended to, record to a new file"
            ) from None
        try:
            self._file = file
            self._write(header, 0, closed=False)
            os.fsync(file)
            sync_folder(os.path.dirname(self.path) or ".")
        except BaseException:
            os.close(file)
            raise
        return file

    def record(
        self,
        time: int,
        process: Process,
        type: EventType,
        f: str,
        key: Json = None,
        value: Json = None,
        error: Json = None,
        node: str | None = None,
    ) -> Event:
        """Append one event; it gets the next index.

        Raises `RecorderMisuse` if the event cannot follow what was recorded, and
        `RecorderFailed` once the disk has failed.
        """
        if value.__class__ not in ATOMS or key.__class__ not in ATOMS or error is not None:
            _refuse_strangers(key, value, error)
        with self._lock:
            if self._closing or self._failure is not None:
                self._refuse_late()
            event = Event(self._recorded, time, process, type, f, key, value, error, node)
            try:
                line = encode(event)
            except (TypeError, ValueError, OverflowError) as trouble:
                raise RecorderMisuse(f"{event} cannot be written as JSON: {trouble}") from trouble
            if len(line) > _LONG_LINE_BYTES:
                _refuse_long(line, key, value, error)
            if time.__class__ is not int or not self._last_time <= time <= _TIME_MAX:
                self._refuse_time(event)
            if f.__class__ is not str or (node.__class__ is not str and node is not None):
                _refuse_text(event)
            if process.__class__ is not int:
                _refuse_name(event)
            elif type == "invoke":
                if (
                    process in self._open
                    or process in self._retired
                    or not 0 <= process <= _PROCESS_MAX
                ):
                    self._refuse_invocation(event)
                self._open[process] = f
            else:
                if self._open.get(process) != f:
                    self._refuse_completion(event)
                if type == "info":
                    self._retired.add(process)
                elif type != "ok" and type != "fail":
                    raise RecorderMisuse(f"unknown type {type!r}; use invoke, ok, fail or info")
                del self._open[process]
            self._last_time = time
            self._recorded += 1
            self._buffer.append(line)
        return event

    def flush(self, timeout_s: float = 10.0) -> None:
        """Wait until everything recorded so far is on disk."""
        with self._lock:
            wanted = self._recorded
        self._wake.set()
        with self._progress:
            done = self._progress.wait_for(
                lambda: self.durable >= wanted or self._failure is not None, timeout_s
            )
        if self._failure is not None:
            self._refuse_late()
        if not done:
            raise RecorderFailed(
                f"{self.path}: {wanted - self.durable} events were not on disk after "
                f"{timeout_s} s; look at the load of that disk"
            )

    def close(self) -> None:
        """Write what is left and a last checksum line that says the recording is whole."""
        with self._lock:
            first = not self._closing
            self._closing = True
        self._wake.set()
        for thread in self._threads:
            thread.join()
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._file)
                atexit.unregister(self.close)
        if first and self._failure is not None:
            self._refuse_late()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self._recorded

    def _write_groups(self) -> None:
        last = False
        while not last:
            self._wake.wait(self._flush_interval_s)
            self._wake.clear()
            with self._lock:
                group, self._buffer = self._buffer, []
                recorded = self._recorded
                last = self._closing
            if not group and not last:
                continue
            group.append(b"")
            failure = None
            try:
                self._write(b"\n".join(group), recorded, closed=last)
            except OSError as trouble:
                failure = trouble
            with self._progress:
                self._failure = self._failure or failure
                self._groups_written += failure is None
                self._events_written = recorded
                last = self._writer_done = last or self._failure is not None
                self._progress.notify_all()

    def _sync_groups(self) -> None:
        while True:
            with self._progress:
                self._progress.wait_for(
                    lambda: self._groups_written > self._groups_synced or self._writer_done
                )
                if self._groups_written == self._groups_synced or self._failure is not None:
                    return
                groups, events = self._groups_written, self._events_written
            failure = None
            try:
                os.fsync(self._file)
            except OSError as trouble:
                failure = trouble
            with self._progress:
                self._failure = self._failure or failure
                self._groups_synced = groups
                if self._failure is None:
                    self.durable = events
                self._progress.notify_all()

    def _write(self, group: bytes, events: int, *, closed: bool) -> None:
        crc = zlib.crc32(group, self._crc)
        line = checksum_line(crc, events, closed=closed)
        self._crc = zlib.crc32(line, crc)
        rest = memoryview(group + line)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def _refuse_late(self) -> None:
        if self._failure is not None:
            raise RecorderFailed(
                f"{self.path} cannot be written ({self._failure}); "
                f"the first {self.durable} events are safe"
            ) from self._failure
        raise RecorderMisuse(f"{self.path} is closed; nothing can be recorded any more")

    def _refuse_time(self, event: Event) -> None:
        if event.time.__class__ is int and event.time > _TIME_MAX:
            raise RecorderMisuse(f"time {event.time} does not fit 64 bits in {event}")
        raise RecorderMisuse(
            f"time runs backwards from {self._last_time} to {event.time!r} ns in {event}; "
            "use integers from one monotonic clock"
        )

    def _refuse_invocation(self, event: Event) -> None:
        process = event.process
        if process in self._retired:
            why = "its last operation ended in info; go on under a new process number"
        elif process in self._open:
            why = f"its operation {self._open[int(process)]!r} is still open"
        else:
            why = f"a client's number is from 0 to {_PROCESS_MAX}"
        raise RecorderMisuse(f"process {process} cannot invoke {event.f!r}: {why}")

    def _refuse_completion(self, event: Event) -> None:
        invoked = self._open.get(int(event.process))
        why = f"its open operation is {invoked!r}" if invoked else "it has no open operation"
        raise RecorderMisuse(f"process {event.process} cannot complete {event.f!r}: {why}")


def _refuse_text(event: Event) -> None:
    for name, text in (("f", event.f), ("node", event.node)):
        if not isinstance(text, str) and (text is not None or name == "f"):
            raise RecorderMisuse(f"{name} {text!r} is not a string in {event}")


def _refuse_name(event: Event) -> None:
    if not isinstance(event.process, str):
        raise RecorderMisuse(f"process {event.process!r} is neither a number nor a name")
    if event.type not in ("invoke", "ok", "fail", "info"):
        raise RecorderMisuse(f"unknown type {event.type!r}; use invoke, ok, fail or info")


def _refuse_strangers(*values: Any) -> None:
    for value in values:
        try:
            refuse_strangers(value)
        except (TypeError, ValueError) as error:
            raise RecorderMisuse(str(error)) from error


def _refuse_long(line: bytes, *values: Any) -> None:
    if len(line) > VALUE_BYTES_MAX:
        raise RecorderMisuse(
            f"an event of {len(line)} bytes; the limit is {VALUE_BYTES_MAX}, "
            "record a digest of the value instead"
        )
    for value in values:
        try:
            _native.canonical_json(encode(value))
        except ValueError as error:
            raise RecorderMisuse(str(error)) from error
