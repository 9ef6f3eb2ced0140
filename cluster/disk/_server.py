"""The server: threads that take requests from the kernel and write the replies.

There are always threads to spare, up to `THREADS_MAX`, so a slow sync holds up nobody else.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from cluster.disk import _protocol as fuse
from cluster.disk._operations import Caller, Operations

THREADS_MAX: Final = 64
_SPARE: Final = 2
_READAHEAD_BYTES: Final = 128 << 10


class Server:
    """Serves `operations` on an open FUSE device; calls `ended` when it has been unmounted."""

    def __init__(self, device: int, operations: Operations, ended: Callable[[], None]) -> None:
        self._device = device
        self._operations = operations
        self._ended = ended
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        self.ready = threading.Event()

    def start(self) -> None:
        """Begin to serve, in threads of our own."""
        self._more()

    def forget_caches(self) -> None:
        """Have the kernel drop all it has cached of files, written back first.

        Not to be called with any lock held: the kernel may have to ask us things meanwhile.
        """
        for node in self._operations.nodes:
            if node.is_file and node.lookups > 0:
                # ENOENT: it has nothing of this file.
                with suppress(OSError):
                    os.write(self._device, fuse.inval_inode(node.id))

    def _more(self) -> None:
        with self._lock:
            if self._idle >= _SPARE or self._threads >= THREADS_MAX:
                return
            self._threads += 1
            self._idle += 1
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        buffer = bytearray(fuse.REQUEST_BYTES_MAX)
        view = memoryview(buffer)
        while True:
            try:
                length = os.readv(self._device, [buffer])
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
                    continue
                self._ended()
                return
            with self._lock:
                self._idle -= 1
                starved = self._idle == 0
            if starved and self._threads < THREADS_MAX:
                self._more()
            self._answer(view[:length])
            with self._lock:
                self._idle += 1

    def _answer(self, request: memoryview) -> None:
        _, opcode, unique, number, uid, gid, _, _, _ = fuse.IN_HEADER.unpack_from(request)
        body = request[fuse.IN_HEADER.size :]
        if opcode in fuse.NO_REPLY:
            self._forget(opcode, number, body)
            return
        failed = 0
        reply = b""
        try:
            if opcode == fuse.INIT:
                reply = self._init(body)
            elif opcode != fuse.DESTROY:
                handler = self._operations.by_opcode.get(opcode)
                if handler is None:
                    failed = errno.ENOSYS
                else:
                    reply = handler(self._operations.nodes[number], body, Caller(uid, gid))
        except OSError as error:
            failed = error.errno or errno.EIO
        except Exception:
            traceback.print_exc(file=sys.stderr)
            failed = errno.EIO
        if failed:
            reply = b""
        head = fuse.OUT_HEADER.pack(fuse.OUT_HEADER.size + len(reply), -failed, unique)
        # ENOENT: the caller was interrupted and has gone.
        with suppress(OSError):
            os.writev(self._device, [head, reply])
        if opcode == fuse.INIT and not failed:
            self.ready.set()

    def _forget(self, opcode: int, number: int, body: memoryview) -> None:
        nodes = self._operations.nodes
        if opcode == fuse.FORGET:
            nodes.forget(number, fuse.FORGET_IN.unpack_from(body)[0])
        elif opcode == fuse.BATCH_FORGET:
            count, _ = fuse.BATCH_FORGET_IN.unpack_from(body)
            at = fuse.BATCH_FORGET_IN.size
            for _ in range(count):
                nodes.forget(*fuse.FORGET_ONE.unpack_from(body, at))
                at += fuse.FORGET_ONE.size

    def _init(self, body: memoryview) -> bytes:
        major, minor, readahead, offered = fuse.INIT_IN.unpack_from(body)
        if major != fuse.MAJOR or minor < 28:
            raise OSError(errno.EPROTO, f"the kernel speaks FUSE {major}.{minor}")
        return fuse.INIT_OUT.pack(
            fuse.MAJOR,
            min(minor, fuse.MINOR),
            min(readahead, _READAHEAD_BYTES),
            offered & fuse.WANTED,
            32,
            24,
            fuse.WRITE_BYTES_MAX,
            1,
            fuse.PAGES_MAX,
            0,
            0,
        )
