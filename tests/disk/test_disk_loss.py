"""What the power takes: all that is not synced, and nothing that is."""

from __future__ import annotations

from random import Random, SystemRandom
from typing import Any

import pytest

from tests.disk.conftest import Mounted, OnDisk

DATA = """
for name in given: put(name, b"old " * 3000, sync=True)
sync()
put("appended", b"new", os.O_APPEND, at=0)
put("overwritten", b"new", at=5000)
os.truncate("shortened", 7)
put("mapped", b"")
file = os.open("mapped", os.O_RDWR)
mmap.mmap(file, 100)[5:8] = b"new"
put("synced", b"new", at=0, sync=True)
put("at once", b"new", os.O_DSYNC, at=0)
file = os.open("data only", os.O_RDWR); os.pwrite(file, b"new", 0); os.fdatasync(file)
told = None
"""

NAMES = """
for name in "removed", "renamed", "target": put(name, name.encode(), sync=True)
os.mkdir("gone"); sync()
os.unlink("removed"); os.rename("renamed", "target"); os.rmdir("gone")
put("created", b"new"); os.mkdir("made"); put("made/inside", b"new")
told = sorted(os.listdir("."))
"""

NEVER_SYNCED = """
put("file", b"new", sync=True)
put("file.tmp", b"newer", sync=True)
os.rename("file.tmp", "file")
if given: sync()
put("another", b"", sync=True)
told = None
"""

STEPS = """
open_files = {}
for step in given:
    kind, name, *rest = step
    if kind == "write": put(name, rest[1].encode(), at=rest[0])
    elif kind == "truncate": os.path.exists(name) and os.truncate(name, rest[0])
    elif kind == "rename": os.path.exists(name) and os.rename(name, rest[0])
    elif kind == "unlink": os.path.exists(name) and os.unlink(name)
    elif kind == "sync": os.path.exists(name) and put(name, b"", sync=True)
told = None
"""


def test_data_that_were_not_synced_are_lost_and_what_was_there_before_is_back(
    on_disk: OnDisk,
) -> None:
    async def scenario(mounted: Mounted) -> None:
        survivors = ["synced", "at once", "data only"]
        victims = ["appended", "overwritten", "shortened", "mapped"]
        await mounted.run(DATA, [*survivors, *victims])
        told = await mounted.order("lose")
        assert told["files"] == len(victims)
        old = "old " * 3000
        expected = dict.fromkeys(victims, old) | dict.fromkeys(survivors, "new" + old[3:])
        assert await mounted.files() == expected
        assert (await mounted.order("status"))["unsynced"]["bytes"] == 0

    on_disk(scenario)


def test_names_that_were_not_synced_are_as_before(on_disk: OnDisk) -> None:
    async def scenario(mounted: Mounted) -> None:
        assert await mounted.run(NAMES) == ["created", "made", "target"]
        assert (await mounted.order("lose"))["names"] == 6
        told = await mounted.run("told = sorted(os.listdir('.')), get('target'), get('removed')")
        assert told == [["gone", "removed", "renamed", "target"], "target", "removed"]

    on_disk(scenario)


@pytest.mark.parametrize(
    ("names", "synced"), [("ordered", False), ("strict", False), ("strict", True)]
)
def test_when_a_new_name_is_durable_depends_on_the_model(
    names: str, synced: bool, on_disk: OnDisk
) -> None:
    async def scenario(mounted: Mounted) -> None:
        await mounted.run(NEVER_SYNCED, synced)
        await mounted.order("lose")
        kept = {"file": "newer"} if synced or names == "ordered" else {}
        assert await mounted.files() == kept | ({"another": ""} if names == "ordered" else {})

    on_disk(scenario, names)


def test_of_a_torn_write_whole_sectors_are_new_and_the_same_seed_tears_alike(
    on_disk: OnDisk,
) -> None:
    async def scenario(mounted: Mounted) -> None:
        seen = []
        for seed in (3, 3, 4):
            await mounted.run("put('torn', b'o' * 8192, sync=True); sync(); told = 0")
            await mounted.run("put('torn', b'n' * 8192); told = 0")
            await mounted.order("lose", seed=seed)
            torn = (await mounted.files())["torn"]
            sectors = {torn[at : at + 512] for at in range(0, 8192, 512)}
            assert sectors == {"o" * 512, "n" * 512}
            seen.append(torn)
        assert seen[0] == seen[1] != seen[2]

    on_disk(scenario)


def test_whatever_is_done_exactly_what_was_synced_is_left(on_disk: OnDisk) -> None:
    seed = SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    random = Random(seed)

    async def scenario(mounted: Mounted) -> None:
        names: dict[str, str] = {}
        contents: dict[str, str] = {}
        for _ in range(6):
            steps = [_step(random) for _ in range(random.randrange(1, 40))]
            await mounted.run(STEPS, steps)
            names, contents = _durable(names, contents, steps)
            await mounted.order("lose")
            expected = {name: contents[file] for name, file in names.items()}
            assert await mounted.files() == expected, (seed, steps)
            # The next round finds only what is durable, each file under its own name.
            contents = {name: contents[file] for name, file in names.items()}
            names = {name: name for name in names}

    on_disk(scenario)


def _step(random: Random) -> list[Any]:
    name = random.choice("abcd")
    kind = random.choices(["write", "truncate", "rename", "unlink", "sync"], [6, 2, 2, 1, 1])[0]
    if kind == "write":
        return [
            kind,
            name,
            random.randrange(9000),
            random.choice("xyz") * random.randrange(1, 6000),
        ]
    if kind == "truncate":
        return [kind, name, random.randrange(12000)]
    return [kind, name, random.choice("abcd")] if kind == "rename" else [kind, name]


def _durable(
    names: dict[str, str], synced: dict[str, str], steps: list[list[Any]]
) -> tuple[dict[str, str], dict[str, str]]:
    """What an ideal disk has after these steps: names of files, and files' contents."""
    kept, now, live = dict(names), dict(names), dict(synced)
    synced = dict(synced)
    for number, (kind, name, *rest) in enumerate(steps):
        if kind == "write" and name not in now:
            now[name] = f"{number}"
            live[now[name]] = synced[now[name]] = ""
        file = now.get(name)
        if file is None:
            continue
        if kind == "write":
            at, new = rest
            old = live[file].ljust(at, "\0")
            live[file] = old[:at] + new + old[at + len(new) :]
        elif kind == "truncate":
            live[file] = live[file][: rest[0]].ljust(rest[0], "\0")
        elif kind == "rename" and rest[0] != name:
            now[rest[0]] = now.pop(name)
        elif kind == "unlink":
            del now[name]
        elif kind == "sync":
            synced[file] = live[file]
            kept = dict(now)
    return kept, synced
