"""As long as nothing is broken it is a file system like any other."""

from __future__ import annotations

from tests.disk.conftest import Mounted, OnDisk

NAMES = """
os.mkdir("a"); os.mkdir("a/b"); put("a/b/one", b"1"); put("two", b"22")
os.rename("two", "a/b/one"); os.link("a/b/one", "three"); os.symlink("a/b", "four")
for number in range(300): put("a/%d" % number, b"")
told = {
    "replaced": get("a/b/one"), "linked": [get("three"), os.stat("three").st_nlink],
    "through": get("four/one"), "link": os.readlink("four"), "many": len(os.listdir("a")),
    "full": refused(os.rmdir, "a/b"), "none": refused(os.unlink, "nothing"),
    "there": refused(os.mkdir, "a"), "open": refused(os.open, "three", os.O_CREAT | os.O_EXCL),
    "top": sorted(os.listdir(".")), "space": os.statvfs(".").f_bavail > 0,
}
os.unlink("four"); os.unlink("a/b/one"); os.rmdir("a/b")
told["left"] = [os.path.exists("a/b"), get("three")]
"""

CONTENT = """
import hashlib
big = os.urandom(3 << 20)
put("big", big)
os.chmod("big", 0o640); os.utime("big", (1, 2))
told = {"same": hashlib.sha256(get("big").encode("latin1")).digest()
                == hashlib.sha256(big).digest(),
        "mode": "%o" % (os.stat("big").st_mode & 0o777), "time": os.stat("big").st_mtime}
os.truncate("big", 10)
put("big", b"end", os.O_APPEND, at=0)
told["size"] = os.stat("big").st_size
file = os.open("mapped", os.O_RDWR | os.O_CREAT)
os.posix_fallocate(file, 0, 1 << 16)
told["allocated"] = os.fstat(file).st_blocks * 512 >= 1 << 16
mapped = mmap.mmap(file, 1 << 16)
mapped[70:75] = b"mmap!"
mapped.flush()
os.pwrite(file, b"pwrite", 90)
told["mapped"] = [os.pread(file, 5, 70).decode(), mapped[90:96].decode()]
os.unlink("mapped")
told["nameless"] = os.pread(file, 5, 70).decode()
other = os.open("big", os.O_RDWR)
fcntl.flock(os.open("big", os.O_RDWR), fcntl.LOCK_EX)
told["locked"] = refused(fcntl.flock, other, fcntl.LOCK_EX | fcntl.LOCK_NB)
"""

OTHERS = """
put("slow", b"s"); put("quick", b"q")
waits = threading.Thread(target=put, args=("slow", b"S"), kwargs={"sync": True})
waits.start()
for number in range(30):
    put("quick", b"%d" % number, sync=True)
told = {"waits": waits.is_alive(), "quick": get("quick")}
put("over", b"")
while waits.is_alive() and not os.path.exists("end"): waits.join(0.05)
told["ended"] = not waits.is_alive()
"""


def test_names_are_made_renamed_and_removed_as_anywhere(on_disk: OnDisk) -> None:
    async def scenario(mounted: Mounted) -> None:
        assert await mounted.run(NAMES) == {
            "replaced": "22",
            "linked": ["22", 2],
            "through": "22",
            "link": "a/b",
            "many": 301,
            "full": "ENOTEMPTY",
            "none": "ENOENT",
            "there": "EEXIST",
            "open": "EEXIST",
            "top": ["a", "four", "three"],
            "space": True,
            "left": [False, "22"],
        }

    on_disk(scenario)


def test_content_is_written_mapped_allocated_and_locked_as_anywhere(on_disk: OnDisk) -> None:
    async def scenario(mounted: Mounted) -> None:
        assert await mounted.run(CONTENT) == {
            "same": True,
            "mode": "640",
            "time": 2.0,
            "size": 13,
            "allocated": True,
            "mapped": ["mmap!", "pwrite"],
            "nameless": "mmap!",
            "locked": "EAGAIN",
        }

    on_disk(scenario)


def test_a_slow_sync_holds_up_nobody_else_and_ends_with_the_fault(on_disk: OnDisk) -> None:
    async def scenario(mounted: Mounted) -> None:
        import asyncio

        rule = {"kind": "slow", "sync": 600_000, "files": ["slow"]}
        await mounted.order("set", id="slow", **rule)
        others = asyncio.create_task(mounted.run(OTHERS))
        async with asyncio.timeout(20):
            while "over" not in await mounted.run("told = os.listdir('.')"):
                await asyncio.sleep(0.05)
        assert await mounted.order("clear", id="slow") == {"met": {"sync": 1}}
        assert await others == {"waits": True, "quick": "29", "ended": True}

    on_disk(scenario)
