"""Damage at rest: flipped bits, and files cut short, without harm to the backing file.

Damage is what readers see: the backing file keeps the true bytes, and taking damage away
shows them again.  What the system writes anew is sound, so a flipped bit is gone once its
byte has been written.  A file cut short that is written to really is cut off there first,
and nothing brings the rest back.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final

from cluster.disk._nodes import Node, Nodes
from cluster.disk._rules import DATA, for_path

_BLOCK: Final = 4096
_TRIES: Final = 64
FILES_MAX: Final = 1000


class Damage:
    """The damage of one file system; `ended` counts by its name what the system has mended."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self.ended: Counter[str] = Counter()

    def flip(self, name: str, files: Sequence[str], bits: int, seed: int) -> list[dict[str, Any]]:
        """Flip bits of all files that match, each of them `bits`; where, file by file.

        Bits of bytes that mean something are preferred: those in blocks that are not zero.
        """
        places = []
        for path, node in self._matching(files):
            draw = Random(f"{seed} {path}")
            with node.lock:
                for _ in range(bits):
                    offset = _place(node, draw)
                    if offset is None:
                        break
                    node.flips[offset] = (1 << draw.randrange(8), name)
                    places.append({"file": path, "offset": offset})
        return places

    def cut(self, name: str, files: Sequence[str], length: int) -> list[dict[str, Any]]:
        """Take bytes off the ends of all files that match; where they end now."""
        places = []
        for path, node in self._matching(files):
            with node.lock:
                size = node.size(node.stat())
                if size > 0:
                    node.cuts[name] = max(size - length, 0)
                    places.append({"file": path, "size": node.cuts[name]})
        return places

    def clear(self, name: str) -> None:
        """Take away what damage of this name is left."""
        for node in self._nodes:
            with node.lock:
                found = node.cuts.pop(name, None) is not None
                ours = [at for at, (_, whose) in node.flips.items() if whose == name]
                for at in ours:
                    del node.flips[at]
            if found or ours:
                self._nodes.tidy(node.key)
        del self.ended[name]

    def shown(self, node: Node, offset: int, content: bytes) -> bytes:
        """What a reader sees of these bytes of the file."""
        if node.cuts:
            content = content[: max(min(node.cuts.values()) - offset, 0)]
        places = [at for at in list(node.flips) if offset <= at < offset + len(content)]
        if not places:
            return content
        seen = bytearray(content)
        for at in places:
            mask, _ = node.flips.get(at, (0, ""))
            seen[at - offset] ^= mask
        return bytes(seen)

    def mended(self, node: Node, offset: int, length: int | None) -> None:
        """These bytes are written anew (None: all from there); the node's lock is held."""
        end = None if length is None else offset + length
        for at in list(node.flips):
            if offset <= at and (end is None or at < end):
                _, whose = node.flips.pop(at)
                self.ended[whose] += 1

    def _matching(self, files: Sequence[str]) -> Iterator[tuple[str, Node]]:
        """The system's own files that match, with their path from the data directory on."""
        top = os.path.join(self._nodes.backing, DATA)
        found = 0
        for directory, inner, names in os.walk(top):
            inner.sort()
            at = os.open(directory, os.O_PATH | os.O_DIRECTORY)
            try:
                for name in sorted(names):
                    path = os.path.relpath(os.path.join(directory, name), top)
                    mode = os.stat(name, dir_fd=at, follow_symlinks=False).st_mode
                    if stat.S_ISREG(mode) and for_path(f"{DATA}/{path}", files, ""):
                        found += 1
                        if found > FILES_MAX:
                            return
                        node = self._nodes.find(at, name)
                        yield path, node
                        self._nodes.forget(node.id, 1)
            except FileNotFoundError:
                continue  # the system removes files meanwhile
            finally:
                os.close(at)


def _place(node: Node, draw: Random) -> int | None:
    """Some byte of the file, of a block that is not all zero if that can be had."""
    fd = os.open(node.path, os.O_RDONLY)
    try:
        size = node.size(os.fstat(fd))
        if size == 0:
            return None
        ends = size
        for _ in range(_TRIES):
            at = draw.randrange(ends)
            block = at - at % _BLOCK
            if any(os.pread(fd, min(_BLOCK, size - block), block)):
                return at
            ends = max(block, 1)  # files are filled from the beginning: look nearer to it
        return draw.randrange(size)
    finally:
        os.close(fd)
