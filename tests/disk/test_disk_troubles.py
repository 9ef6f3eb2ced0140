"""What the disk does on order, and that only its owner may order it."""

from __future__ import annotations

import os

import pytest

from tests.disk.conftest import Mounted, OnDisk

FULL = """
told = {"new": refused(put, "new", b"x"), "over": refused(put, "there", b"xyz"),
        "longer": refused(put, "there", b"x" * 10000), "made": refused(os.mkdir, "d"),
        "space": os.statvfs(".").f_bavail, "read": get("there")[:4]}
"""
SPOILT = """
told = {"seen": get("spoilt"), "size": os.stat("spoilt").st_size}
"""
STRANGER = """
import socket
os.setuid(65534)
peer = socket.socket(socket.AF_UNIX)
told = refused(peer.connect, given)
"""


def test_on_a_full_disk_what_is_there_can_be_overwritten_and_read(on_disk: OnDisk) -> None:
    async def scenario(mounted: Mounted) -> None:
        await mounted.run("put('there', b'abcd', sync=True); told = 0")
        await mounted.order("set", id="full", kind="fill")
        told = {"new": "ENOSPC", "over": "", "longer": "ENOSPC", "made": "ENOSPC"}
        assert await mounted.run(FULL) == {**told, "space": 0, "read": "xyzd"}
        await mounted.order("set", id="full", kind="fill", overwrites=True)
        assert (await mounted.run(FULL))["over"] == "ENOSPC"
        await mounted.order("clear", id="full")
        assert (await mounted.run(FULL))["longer"] == ""

    on_disk(scenario)


def test_blocks_that_cannot_be_read_are_the_same_ones_until_the_fault_ends(
    on_disk: OnDisk,
) -> None:
    blocks = """
file = os.open("file", os.O_RDONLY | os.O_DIRECT)
told = [bool(refused(os.pread, file, 4096, at * 4096)) for at in range(64)]
"""

    async def scenario(mounted: Mounted) -> None:
        await mounted.run("put('file', b'x' * 4096 * 64); put('other', b'y'); told = 0")
        rule = {"kind": "read-errors", "probability": 0.3, "files": ["fi*"]}
        await mounted.order("set", id="bad", seed=5, **rule)
        bad = await mounted.run(blocks)
        assert 5 < sum(bad) < 40
        assert await mounted.run(blocks) == bad
        assert await mounted.run("told = get('other')") == "y"
        assert await mounted.run("told = refused(get, 'file')") == "EIO"
        await mounted.order("clear", id="bad")
        assert sum(await mounted.run(blocks)) == 0

    on_disk(scenario)


def test_damage_is_seen_by_all_until_it_is_healed_or_written_anew(on_disk: OnDisk) -> None:
    async def scenario(mounted: Mounted) -> None:
        await mounted.run("put('spoilt', b'so it was written'); told = 0")
        true = await mounted.run(SPOILT)
        order = {"files": ["spo*"], "bits": 3, "seed": 1}
        places = (await mounted.order("flip", id="bits", **order))["places"]
        seen = await mounted.run(SPOILT)
        differ = [at for at in range(17) if seen["seen"][at] != true["seen"][at]]
        assert differ == sorted({place["offset"] for place in places})
        await mounted.order("clear", id="bits")
        assert await mounted.run(SPOILT) == true
        await mounted.order("flip", id="bits", **order)
        await mounted.run("put('spoilt', b'so it was written'); told = 0")
        assert await mounted.run(SPOILT) == true

        await mounted.order("cut", id="end", files=["spoilt"], bytes=8)
        assert await mounted.run(SPOILT) == {"seen": "so it was", "size": 9}
        await mounted.order("clear", id="end")
        assert await mounted.run(SPOILT) == true
        await mounted.order("cut", id="end", files=["spoilt"], bytes=8)
        await mounted.run("put('spoilt', b'!', os.O_APPEND, at=0); told = 0")
        await mounted.order("clear", id="end")
        assert await mounted.run(SPOILT) == {"seen": "so it was!", "size": 10}

    on_disk(scenario)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_nobody_else_may_give_orders(on_disk: OnDisk) -> None:
    async def scenario(mounted: Mounted) -> None:
        for path in (mounted.disk.top(mounted.host), mounted.host.directory):
            await mounted.host.run(["chmod", "0755", path])  # as if its directory were open
        socket = os.path.relpath(mounted.disk.socket(mounted.host), mounted.disk.data(mounted.host))
        assert await mounted.run(STRANGER, socket) in ("EACCES", "EPERM")

    on_disk(scenario)
