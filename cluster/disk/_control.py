"""Orders to the file system: JSON objects, a line each, over a Unix socket of its owner.

    {"do": "status"}                                  what is in force, and what was met
    {"do": "set", "id": ..., "kind": "slow", ...}     put a rule in force (see `_rules`)
    {"do": "flip", "id": ..., "files": [...], "bits": 8, "seed": 1}
    {"do": "cut", "id": ..., "files": [...], "bytes": 4096}
    {"do": "clear", "id": ...}                        end a rule, take damage away
    {"do": "lose", "seed": null}                      the power has failed

Each is answered by one line: the answer, or ``{"error": ...}``.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from random import Random
from typing import Any, Final

from cluster.disk._operations import Operations
from cluster.disk._rules import Rule

_LINE_BYTES_MAX: Final = 1 << 16
_REFRESH_S: Final = 0.5
"""How often reads are made to come to us while a rule is to meet them."""


class Control:
    """Obeys orders one at a time; `forget_caches` is the server's."""

    def __init__(self, operations: Operations, forget_caches: Callable[[], None]) -> None:
        self._operations = operations
        self._forget_caches = forget_caches
        self._lock = threading.Lock()
        self._hindered = threading.Event()
        self._orders: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "status": self._status,
            "set": self._set,
            "flip": self._flip,
            "cut": self._cut,
            "clear": self._clear,
            "lose": self._lose,
        }

    def serve(self, path: str) -> None:
        """Listen at `path`, open to our own user only, for ever, in threads of our own."""
        listener = _listener(path)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        threading.Thread(target=self._refresh, daemon=True).start()

    def obey(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one order."""
        try:
            with self._lock:
                return self._orders[order["do"]](order)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}

    def _status(self, _order: Mapping[str, Any]) -> dict[str, Any]:
        ours = self._operations
        return {
            "rules": [rule.told() for rule in ours.rules.all],
            "unsynced": {**ours.data.told(), "names": len(ours.names)},
            "rewritten": dict(ours.damage.ended),
        }

    def _set(self, order: Mapping[str, Any]) -> dict[str, Any]:
        rule = Rule(order)
        self._operations.rules.put(rule)
        self._look_at_reads()
        return {"set": rule.name}

    def _flip(self, order: Mapping[str, Any]) -> dict[str, Any]:
        name, files = str(order["id"]), list(map(str, order["files"]))
        damage = self._operations.damage
        places = damage.flip(name, files, int(order["bits"]), int(order["seed"]))
        self._forget_caches()
        return {"places": places}

    def _cut(self, order: Mapping[str, Any]) -> dict[str, Any]:
        name, files = str(order["id"]), list(map(str, order["files"]))
        places = self._operations.damage.cut(name, files, int(order["bytes"]))
        self._forget_caches()
        return {"places": places}

    def _clear(self, order: Mapping[str, Any]) -> dict[str, Any]:
        rule = self._operations.rules.clear(str(order["id"]))
        self._operations.damage.clear(str(order["id"]))
        self._operations.tidy_up(str(order["id"]))
        self._look_at_reads()
        self._forget_caches()
        return {"met": dict(rule.met) if rule is not None else {}}

    def _lose(self, order: Mapping[str, Any]) -> dict[str, Any]:
        seed = order.get("seed")
        draw = None if seed is None else Random(int(seed))
        ours = self._operations
        self._forget_caches()  # what was written through a mapping comes to us now, un-synced
        files, lost = ours.data.lose(draw)
        names = ours.names.lose(draw)
        ours.own_names.lose(None)
        self._forget_caches()
        return {"files": files, "bytes": lost, "names": names}

    def _look_at_reads(self) -> None:
        if any(rule.hinders_reads for rule in self._operations.rules.all):
            self._hindered.set()
        else:
            self._hindered.clear()

    def _refresh(self) -> None:
        while self._hindered.wait():
            self._forget_caches()
            threading.Event().wait(_REFRESH_S)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            peer, _ = listener.accept()
            threading.Thread(target=self._converse, args=(peer,), daemon=True).start()

    def _converse(self, peer: socket.socket) -> None:
        with peer, suppress(OSError):
            if not _is_ours(peer):
                return
            with peer.makefile("rb") as lines:
                while line := lines.readline(_LINE_BYTES_MAX):
                    try:
                        order = json.loads(line)
                    except ValueError as error:
                        order = {"do": str(error)}
                    peer.sendall(json.dumps(self.obey(order)).encode() + b"\n")


def _is_ours(peer: socket.socket) -> bool:
    """Does the other end belong to our user, or to root?"""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return uid in (0, os.geteuid())


def _listener(path: str) -> socket.socket:
    """A socket file under a path of any length."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    before = os.umask(0o177)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
    finally:
        os.umask(before)
        os.close(directory)
    listener.listen(16)
    return listener
