"""The disk of a real node: a folder, with the kernel's own `fsync`.

Calls that may block are made in threads.  What concerns one file happens in the order in which
it was asked for, but that a `sync` lets later writes pass: it holds only for those before it,
and so a log can be written while it is synced.  A new name is synced with its folder.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

_THREADS: Final = 8
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC


class FolderDisk:
    """Files with flat names in `folder`, which is made; see `world.Disk`.

    Invariant: a descriptor in `_files` is that of the file which has the name now, and is used,
    opened and closed only by who holds the name's lock, but for a sync, which has one of its own.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(self._folder.parent)
        self._locks: dict[str, asyncio.Lock] = {}
        self._files: dict[str, int] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="disk")

    def close(self) -> None:
        """Let go of all files."""
        self._threads.shutdown()
        for file in self._files.values():
            os.close(file)
        self._files.clear()

    async def names(self) -> list[str]:
        """See `world.Disk`."""
        return sorted(await self._in_thread(lambda: os.listdir(self._folder)))

    async def read(self, name: str) -> bytes:
        """See `world.Disk`."""
        return await self._alone(lambda: _content(self._file(name)), name)

    async def append(self, name: str, data: bytes) -> None:
        """See `world.Disk`."""
        await self._alone(lambda: _put(self._file(name, make=True), data), name)

    async def write(self, name: str, data: bytes) -> None:
        """See `world.Disk`."""

        def write() -> None:
            file = self._file(name, make=True)
            os.ftruncate(file, 0)
            _put(file, data)

        await self._alone(write, name)

    async def truncate(self, name: str, size: int) -> None:
        """See `world.Disk`."""

        def truncate() -> None:
            file = self._file(name)
            if size < os.fstat(file).st_size:
                os.ftruncate(file, size)

        await self._alone(truncate, name)

    async def sync(self, name: str) -> None:
        """See `world.Disk`."""
        file = await self._alone(lambda: os.dup(self._file(name)), name)

        def sync() -> None:
            try:
                os.fsync(file)
            finally:
                os.close(file)
            _sync_folder(self._folder)

        await self._in_thread(sync)

    async def rename(self, old: str, new: str) -> None:
        """See `world.Disk`."""

        def rename() -> None:
            os.rename(self._path(old), self._path(new))
            self._let_go(new)
            if old in self._files:
                self._files[new] = self._files.pop(old)

        await self._alone(rename, old, new)

    async def remove(self, name: str) -> None:
        """See `world.Disk`."""

        def remove() -> None:
            os.unlink(self._path(name))
            self._let_go(name)

        await self._alone(remove, name)

    def _path(self, name: str) -> Path:
        if not name or "/" in name or name in (".", "..") or "\0" in name:
            raise ValueError(f"{name!r} is no name of a file; names are flat")
        return self._folder / name

    def _file(self, name: str, *, make: bool = False) -> int:
        file = self._files.get(name)
        if file is None:
            flags = _FLAGS | (os.O_CREAT if make else 0)
            file = self._files[name] = os.open(self._path(name), flags, 0o600)
        return file

    def _let_go(self, name: str) -> None:
        file = self._files.pop(name, None)
        if file is not None:
            os.close(file)

    async def _alone(self, call: Callable[[], T], *names: str) -> T:
        """Make the call with the names to itself, in its turn."""
        async with self._turn(names):
            return await self._in_thread(call)

    @asynccontextmanager
    async def _turn(self, names: tuple[str, ...]) -> AsyncIterator[None]:
        # Always in the same order: two renames must not wait for each other.
        async with AsyncExitStack() as held:
            for name in sorted({*names}):
                await held.enter_async_context(self._locks.setdefault(name, asyncio.Lock()))
            yield

    async def _in_thread(self, call: Callable[[], T]) -> T:
        # A call that nobody waits for any more is still under way: its name stays taken till then.
        done = asyncio.get_running_loop().run_in_executor(self._threads, call)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait([done])
            raise


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _content(file: int) -> bytes:
    parts: list[bytes] = []
    at = 0
    while part := os.pread(file, 1 << 20, at):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def _put(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
