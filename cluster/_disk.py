"""A disk that can be broken: a file system of ours under the data of a member.

The system keeps its data in a directory that is mounted by a program of momus (see
`cluster.disk`), which passes everything on to a directory beside it until it is told to do
otherwise.  It is mounted afresh when the system is set up, and gone when it is torn down;
the unmount is in the journal before the mount is made.
"""

from __future__ import annotations

import asyncio
import json
import posixpath
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cluster import disk
from cluster._host import Host, HostError, Unsupported
from cluster._posix import PosixHost
from cluster._proxy_server import archive, python_command
from cluster.disk import _client
from cluster.disk._names import MODELS
from cluster.disk._rules import DATA, PROBE

DAEMON: Final = "disk"
_ARCHIVE: Final = "momus-disk.pyz"
_READY_TIMEOUT_S: Final = 20.0
_ORDER_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.05
_PROMISE: Final = "mount"

# $1 the mount's name, $2 where it is.  A mount whose program hangs is aborted first (-f).
_UNMOUNT: Final = """
left=20
while grep -qs "^$1 " /proc/self/mounts; do
    [ $left -gt 0 ] || { echo "$2 is still mounted" >&2; exit 1; }
    left=$((left - 1))
    umount -f -l -- "$2" 2>/dev/null || umount -l -- "$2" 2>/dev/null ||
        fusermount3 -u -z -- "$2" 2>/dev/null || fusermount -u -z -- "$2" 2>/dev/null ||
        sleep 0.1
done
"""


class FaultyDisk:
    """A file system of ours on every host of a system.

    `names` says when a new or changed name survives a power cut: ``ordered`` as with ext4 and
    XFS, where any fsync brings all changes of names to the disk, or ``strict``, where only an
    fsync of the directory does.  Hosts need FUSE, Python 3.11, and root or fusermount3.
    """

    def __init__(self, *, names: str = "ordered") -> None:
        if names not in MODELS:
            raise ValueError(f"names are {' or '.join(MODELS)}, not {names!r}")
        self._names = names
        self._source: dict[str, str] = {}

    @staticmethod
    def top(host: Host) -> str:
        """The directory of all that belongs to the disk of the host."""
        return posixpath.join(host.directory, "disk")

    @classmethod
    def data(cls, host: Host) -> str:
        """Where the system keeps its data on the host."""
        return posixpath.join(cls.top(host), "mount", DATA)

    @classmethod
    def backing(cls, host: Host) -> str:
        """Where these data really are."""
        return posixpath.join(cls.top(host), "backing", DATA)

    @classmethod
    def probe(cls, host: Host) -> str:
        """A directory on the same disk by which faults are proven."""
        return posixpath.join(cls.top(host), "mount", PROBE)

    @classmethod
    def socket(cls, host: Host) -> str:
        """Where the file system takes orders."""
        return posixpath.join(cls.top(host), "control")

    async def start(self, host: Host) -> None:
        """Mount a fresh, empty disk; `Unsupported` where that is impossible."""
        if not isinstance(host, PosixHost):
            raise Unsupported(
                host.name, f"a host of kind {host.kind} cannot mount", "use another kind of host"
            )
        await self.stop(host)
        source = f"momus-{uuid.uuid4().hex[:12]}"
        point = posixpath.join(self.top(host), "mount")
        await host.run(["mkdir", "-m", "0700", "-p", "--", self.top(host)])
        program = posixpath.join(host.directory, _ARCHIVE)
        await host.write(program, archive(disk))
        undo = [["sh", "-c", _UNMOUNT, "momus-unmount", source, point]]
        await host.promise(_PROMISE, undo)
        self._source[host.name] = source
        where = ["--at", self.top(host), "--source", source, "--names", self._names]
        await host.start(DAEMON, [*python_command(host), program, *where])
        await self._await_ready(host)

    async def stop(self, host: Host) -> None:
        """Unmount the disk of the host, and remove it, if there is one."""
        assert isinstance(host, PosixHost)
        await host.fulfil(_PROMISE)
        await host.stop(DAEMON)
        self._source.pop(host.name, None)
        await host.run(["rm", "-rf", "--", self.top(host)])

    async def order(self, host: Host, order: Mapping[str, Any]) -> dict[str, Any]:
        """Tell the file system of the host something; its answer (see `cluster.disk._control`).

        Raises `HostError` if it refuses, or is no more.
        """
        done = await host.run(
            [*python_command(host), "-", json.dumps({"socket": self.socket(host), "order": order})],
            input=_CLIENT,
            timeout_s=_ORDER_TIMEOUT_S,
            check=False,
        )
        if done.code != 0:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise HostError(
                host.name,
                f"its disk does not obey: {said[-1] if said else 'no answer'}",
                f"look into {self.logs(host)[0]} there",
            )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def logs(self, host: Host) -> list[str]:
        """What the file system has written, as paths on the host."""
        return [posixpath.join(host.directory, f"{DAEMON}.log")]

    async def _await_ready(self, host: Host) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while True:
            try:
                await self.order(host, {"do": "status"})
                return
            except HostError as error:
                if not await host.alive(DAEMON):
                    said = (await host.read(self.logs(host)[0])).decode("utf-8", "replace")
                    raise Unsupported(
                        host.name,
                        f"the file system ended: {said.strip()[-500:]}",
                        "it needs /dev/fuse, and root or fusermount3; see `momus doctor`",
                    ) from error
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_POLL_S)


_CLIENT: Final = Path(_client.__file__).read_bytes()
