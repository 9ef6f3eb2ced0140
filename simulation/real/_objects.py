"""The object store of real nodes: a folder that all of them see, or none at all."""

from __future__ import annotations

import asyncio
import os
import urllib.parse
import uuid
from pathlib import Path
from typing import Final

_UNFINISHED: Final = "."
"""What begins like this is not stored yet; no name is quoted to it."""


class FolderObjects:
    """Objects as files of `folder`; see `world.Objects`.  Stored is what is whole and synced."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)

    async def put(self, name: str, data: bytes) -> None:
        """See `world.Objects`."""
        await asyncio.to_thread(self._put, name, data)

    async def get(self, name: str) -> bytes:
        """See `world.Objects`."""
        return await asyncio.to_thread(self._path(name).read_bytes)

    async def names(self, prefix: str = "") -> list[str]:
        """See `world.Objects`."""
        found = await asyncio.to_thread(os.listdir, self._folder)
        names = (urllib.parse.unquote(each[1:]) for each in found if each[0] != _UNFINISHED)
        return sorted(name for name in names if name.startswith(prefix))

    async def remove(self, name: str) -> None:
        """See `world.Objects`."""
        await asyncio.to_thread(self._path(name).unlink, missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"_{urllib.parse.quote(name, safe='')}"

    def _put(self, name: str, data: bytes) -> None:
        part = self._folder / f"{_UNFINISHED}{uuid.uuid4().hex}"
        try:
            with part.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path(name))
        finally:
            part.unlink(missing_ok=True)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class NoObjects:
    """No object store: everything that is asked of it fails, as in an outage without an end."""

    async def put(self, name: str, data: bytes) -> None:  # noqa: ARG002
        """See `world.Objects`."""
        raise _none()

    async def get(self, name: str) -> bytes:  # noqa: ARG002
        """See `world.Objects`."""
        raise _none()

    async def names(self, prefix: str = "") -> list[str]:  # noqa: ARG002
        """See `world.Objects`."""
        raise _none()

    async def remove(self, name: str) -> None:  # noqa: ARG002
        """See `world.Objects`."""
        raise _none()


def _none() -> OSError:
    return OSError(5, "this node was started without an object store")
