"""The write-ahead log of a node, which all its groups share.

A record is its length, a CRC-32, how far behind the beginning of its batch it stands, and its
bytes; it names the group it belongs to.  Records are written in the order in which they were
submitted, in batches of as many as have gathered while the last ones were synced.  A record that
was torn by a crash ends the log, and is cut off at the next start with what is left of its batch,
which nobody was promised.  One that is broken with whole ones of a later batch behind it was not
torn, and nobody starts on such a log.  When the log is much longer than what is worth keeping, it
is written anew; and so it is at each start, for what can be read need not be on disk: the last
process may have died of a sync that failed, and no later sync would tell of what was lost then.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

import msgspec

from simulation.raftkv._records import Record
from simulation.world import World

NAME: Final = "wal"
NEXT: Final = "wal.next"
REWRITE_BYTES_MIN: Final = 256 * 1024
RETRY_S: Final = 0.1
ENOSPC: Final = 28

_HEAD: Final = struct.Struct("<III")
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Record)


class CorruptLog(RuntimeError):
    """The log is broken in the middle; what is behind that was promised, and is lost."""


def framed(payload: bytes, since: int = 0) -> bytes:
    """A payload with its length, its CRC and `since` in front: the bytes before it in its batch."""
    return _HEAD.pack(len(payload), zlib.crc32(payload, since), since) + payload


def batch_of(payloads: Iterable[bytes]) -> bytes:
    """Payloads that are written, and synced, together."""
    batch = bytearray()
    for payload in payloads:
        batch += framed(payload, len(batch))
    return bytes(batch)


def unframed(data: bytes, offset: int) -> bytes | None:
    """The payload of the frame that begins at `offset`; None if there is no whole one."""
    if offset + _HEAD.size > len(data):
        return None
    size, crc, since = _HEAD.unpack_from(data, offset)
    payload = data[offset + _HEAD.size : offset + _HEAD.size + size]
    return payload if size and len(payload) == size and zlib.crc32(payload, since) == crc else None


class Wal:
    """`live` says what a log that is written anew has to hold."""

    def __init__(self, world: World, live: Callable[[], list[Record]], bug: str | None) -> None:
        self._world = world
        self._live = live
        self._bug = bug
        self._size = 0
        self._live_size = 0
        self._queue: list[tuple[list[Record], Callable[[], object]]] = []
        self._working = False

    @property
    def idle(self) -> bool:
        """Whether all that was submitted is on disk."""
        return not self._working

    async def load(self) -> list[Record]:
        """All records there are; cuts a torn end off.  Raises `CorruptLog`."""
        disk = self._world.disk
        try:
            data = await disk.read(NAME)
        except FileNotFoundError:
            return []
        records: list[Record] = []
        payloads: list[bytes] = []
        offset = 0
        while (payload := self._payload(data, offset)) is not None:
            try:
                records.append(_decoder.decode(payload))
            except msgspec.MsgspecError:
                if self._bug != "torn-record-accepted":
                    raise
                break
            payloads.append(payload)
            offset += _HEAD.size + len(payload)
        if offset < len(data):
            _must_be_torn(data, offset)
        if self._bug == "torn-tail-not-cut":
            self._size = self._live_size = min(offset, len(data))
            return records
        while not await self._replace(b"".join(map(framed, payloads))):
            await self._world.clock.sleep(RETRY_S)
        return records

    def _payload(self, data: bytes, offset: int) -> bytes | None:
        if self._bug == "torn-record-accepted" and offset + _HEAD.size < len(data):
            size, *_ = _HEAD.unpack_from(data, offset)
            return data[offset + _HEAD.size : offset + _HEAD.size + size].ljust(size, b"\0")
        return unframed(data, offset)

    def submit(self, records: list[Record], done: Callable[[], object]) -> None:
        """Call `done` once these records, and all before them, are on disk."""
        self._queue.append((records, done))
        if not self._working:
            self._working = True
            self._world.spawn(self._work(), "wal")

    async def _work(self) -> None:
        while self._queue:
            batch, self._queue = self._queue, []
            data = batch_of(_encoder.encode(record) for records, _ in batch for record in records)
            if data:
                await self._append(data)
            for _, done in batch:
                done()
            if self._size > REWRITE_BYTES_MIN + 4 * self._live_size:
                await self._rewrite()
        self._working = False

    async def _append(self, data: bytes) -> None:
        world, disk = self._world, self._world.disk
        while True:
            try:
                await disk.append(NAME, data)
                world.reach("before wal sync")
                await disk.sync(NAME)
            except OSError as error:
                if error.errno != ENOSPC and self._bug != "sync-error-ignored":
                    raise  # nobody knows what is on disk now: only a new start can tell
                if self._bug == "sync-error-ignored":
                    break
                await self._make_room()
                continue
            break
        world.reach("after wal sync")
        self._size += len(data)

    async def _make_room(self) -> None:
        """The disk is full: take back what was half written, and wait."""
        world = self._world
        with suppress(FileNotFoundError):
            await world.disk.truncate(NAME, self._size)
        await world.clock.sleep(RETRY_S)

    async def _rewrite(self) -> None:
        records = [_encoder.encode(record) for record in self._live()]
        if not await self._replace(b"".join(map(framed, records))):
            self._live_size = self._size  # later, perhaps

    async def _replace(self, data: bytes) -> bool:
        """Put this in the place of the log; False if there is no room for it.

        Each record is a batch of its own: all are on disk before they take the log's place.
        """
        disk = self._world.disk
        try:
            await disk.write(NEXT, data)
            await disk.sync(NEXT)
        except OSError as error:
            if error.errno != ENOSPC:
                raise
            return False
        self._world.reach("before wal rename")
        await disk.rename(NEXT, NAME)
        await disk.sync(NAME)
        self._world.reach("after wal rename")
        self._size = self._live_size = len(data)
        return True


def _must_be_torn(data: bytes, offset: int) -> None:
    """Raise `CorruptLog` if a whole record of a later batch follows the broken one at `offset`."""
    for behind in range(offset + 1, len(data) - _HEAD.size):
        if unframed(data, behind) is None:
            continue
        _, _, since = _HEAD.unpack_from(data, behind)
        if behind - since > offset:
            raise CorruptLog(
                f"{NAME} is broken at byte {offset}, with whole records of a later batch behind "
                f"it (byte {behind}): this was no torn write"
            )
