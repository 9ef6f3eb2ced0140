"""Un-synced names: what was created, renamed and removed since it was last made durable.

Changes of names form one log, as in the journal of a file system: a change is never durable
without those before it.  What makes them durable depends on the model:

`ordered`   as ext4 and XFS do it: an fsync of any file or directory commits the whole log;
            an fdatasync does if the file has a new length, else up to the file's own name.
`strict`    no more than POSIX promises: only an fsync of a directory does, up to the last
            change in it; a file that was synced may be lost with its name.

A removed file waits in the graveyard until its removal is durable, so that a power cut can
bring it back.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Final

from cluster.disk._nodes import Key, Node, Nodes

MODELS: Final = ("ordered", "strict")
_NUMBERS: Final = count()
"""Of graves: logs share their graveyard."""


@dataclass
class _Change:
    """One entry of the log; `directories` hold a name that has changed."""

    file: Key
    directories: frozenset[Key]
    undo: Callable[[], None]
    settle: Callable[[], None]


class Names:
    """The log of one file system; all its methods may be called from any thread."""

    def __init__(self, graveyard: str, model: str, nodes: Nodes) -> None:
        self._nodes = nodes
        self._graves = os.open(graveyard, os.O_PATH | os.O_DIRECTORY)
        self._strict = model == "strict"
        self._lock = threading.RLock()
        self._log: list[_Change] = []

    def made(self, directory: Node, name: bytes, file: Key) -> None:
        """A name was made: by create, mkdir, mknod, symlink or link."""
        with self._lock:
            at = os.dup(directory.fd)

            def undo() -> None:
                with suppress(FileNotFoundError):
                    if stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
                        os.rmdir(name, dir_fd=at)
                    else:
                        os.unlink(name, dir_fd=at)

            self._note(file, [directory], undo, lambda: None, at)

    def remove(self, directory: Node, name: bytes, *, is_directory: bool) -> None:
        """Remove a name; raises `OSError` as unlink and rmdir do."""
        with self._lock:
            found = os.stat(name, dir_fd=directory.fd, follow_symlinks=False)
            if is_directory:
                _refuse_full(directory.fd, name)
            grave, at = self._grave(), os.dup(directory.fd)
            os.rename(name, grave, src_dir_fd=at, dst_dir_fd=self._graves)

            def undo() -> None:
                os.rename(grave, name, src_dir_fd=self._graves, dst_dir_fd=at)

            key = (found.st_dev, found.st_ino)
            self._note(key, [directory], undo, lambda: self._bury(grave, key), at)

    def rename(self, old_in: Node, old: bytes, new_in: Node, new: bytes) -> None:
        """Rename, over what is there; raises `OSError` as rename does."""
        with self._lock:
            found = os.stat(old, dir_fd=old_in.fd, follow_symlinks=False)
            grave: str | None = None
            emptied = False
            buried: Key = (0, 0)
            try:
                target = os.stat(new, dir_fd=new_in.fd, follow_symlinks=False)
            except FileNotFoundError:
                pass
            else:
                buried = (target.st_dev, target.st_ino)
                if buried == (found.st_dev, found.st_ino):
                    return  # two names of one file: rename does nothing
                if stat.S_ISDIR(target.st_mode):
                    _refuse_full(new_in.fd, new)
                    emptied = True
                else:  # in the graveyard as well as in place, so that there is always one
                    grave = self._grave()
                    os.link(
                        new,
                        grave,
                        src_dir_fd=new_in.fd,
                        dst_dir_fd=self._graves,
                        follow_symlinks=False,
                    )
            try:
                os.rename(old, new, src_dir_fd=old_in.fd, dst_dir_fd=new_in.fd)
            except OSError:
                if grave is not None:
                    self._bury(grave, buried)
                raise
            a, b = os.dup(old_in.fd), os.dup(new_in.fd)

            def undo() -> None:
                os.rename(new, old, src_dir_fd=b, dst_dir_fd=a)
                if grave is not None:
                    os.rename(grave, new, src_dir_fd=self._graves, dst_dir_fd=b)
                elif emptied:
                    os.mkdir(new, dir_fd=b)

            def settle() -> None:
                if grave is not None:
                    self._bury(grave, buried)

            self._note((found.st_dev, found.st_ino), [old_in, new_in], undo, settle, a, b)

    def file_synced(self, node: Node, *, everything: bool) -> None:
        """A file was synced: `everything`, or no more than its data."""
        if self._strict or not self._log:
            return
        with self._lock:
            ours = [i for i, change in enumerate(self._log, 1) if change.file == node.key]
            self._commit(len(self._log) if everything else max(ours, default=0))

    def directory_synced(self, node: Node) -> None:
        """A directory was synced."""
        with self._lock:
            ours = [i for i, each in enumerate(self._log, 1) if node.key in each.directories]
            self._commit(max(ours, default=0) if self._strict else len(self._log))

    def lose(self, draw: Random | None) -> int:
        """Undo what is not durable; how many changes.  With `draw`, only the last of them."""
        with self._lock:
            if draw is not None:
                self._commit(draw.randrange(len(self._log) + 1))
            lost = len(self._log)
            while self._log:
                self._log.pop().undo()
            return lost

    def commit_all(self) -> None:
        """Make everything durable."""
        with self._lock:
            self._commit(len(self._log))

    def __len__(self) -> int:
        return len(self._log)

    def _commit(self, changes: int) -> None:
        for change in self._log[:changes]:
            change.settle()
        del self._log[:changes]

    def _note(
        self,
        file: Key,
        directories: list[Node],
        undo: Callable[[], None],
        settle: Callable[[], None],
        *held: int,
    ) -> None:
        """Append to the log; the descriptors `held` are closed in the end, either way."""

        def ended(act: Callable[[], None]) -> Callable[[], None]:
            def to_the_end() -> None:
                try:
                    act()
                finally:
                    for each in held:
                        os.close(each)

            return to_the_end

        keys = frozenset(each.key for each in directories)
        self._log.append(_Change(file, keys, ended(undo), ended(settle)))

    def _grave(self) -> str:
        return f"{os.getpid()}-{next(_NUMBERS)}"

    def _bury(self, grave: str, key: Key) -> None:
        try:
            os.unlink(grave, dir_fd=self._graves)
        except IsADirectoryError:
            os.rmdir(grave, dir_fd=self._graves)
        self._nodes.tidy(key)


def _refuse_full(directory: int, name: bytes) -> None:
    """Raise as rmdir does unless this is an empty directory, or a file."""
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
    try:
        if os.listdir(fd):
            raise OSError(errno.ENOTEMPTY, "directory not empty")
    finally:
        os.close(fd)
