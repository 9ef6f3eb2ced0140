"""The disk of a real node is the simulated one's twin: same calls, same answers, on a folder."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.real._disk import FolderDisk
from simulation.real._objects import FolderObjects, NoObjects

NAMES = st.sampled_from(["a", "b"])
DATA = st.binary(max_size=8)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), NAMES, DATA),
        st.tuples(st.just("write"), NAMES, DATA),
        st.tuples(st.just("truncate"), NAMES, st.integers(0, 10)),
        st.tuples(st.just("rename"), NAMES, NAMES),
        st.tuples(st.just("remove"), NAMES),
        st.tuples(st.just("sync"), NAMES),
        st.tuples(st.just("read"), NAMES),
    ),
    max_size=12,
)


def done_to_a_dictionary(files: dict[str, bytes], step: tuple[Any, ...]) -> object:
    """What the step does, and what it answers."""
    do, name, *rest = step
    if do in ("append", "write"):
        files[name] = (files.get(name, b"") if do == "append" else b"") + rest[0]
    elif name not in files:
        return FileNotFoundError
    elif do == "read":
        return files[name]
    elif do == "truncate":
        files[name] = files[name][: rest[0]]
    elif do == "rename":
        files[rest[0]] = files.pop(name)
    elif do == "remove":
        del files[name]
    return None


@settings(max_examples=50)
@given(STEPS)
def test_a_folder_does_what_a_dictionary_does(steps: list[tuple[Any, ...]]) -> None:
    async def play(folder: Path) -> None:
        disk = FolderDisk(folder)
        files: dict[str, bytes] = {}
        for do, *arguments in steps:
            try:
                answer = await getattr(disk, do)(*arguments)
            except FileNotFoundError:
                answer = FileNotFoundError
            assert answer == done_to_a_dictionary(files, (do, *arguments))
        assert await disk.names() == sorted(files)
        disk.close()
        again = FolderDisk(folder)
        assert {name: await again.read(name) for name in await again.names()} == files
        again.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder, "data")))


def test_what_is_asked_for_at_once_is_done_in_the_order_it_was_asked_for(tmp_path: Path) -> None:
    async def play() -> None:
        disk = FolderDisk(tmp_path / "data")
        asked = [disk.append("log", b"%d " % number) for number in range(50)]
        await asyncio.gather(*asked, disk.rename("log", "old"), disk.append("log", b"new"))
        assert await disk.read("old") == b" ".join(b"%d" % n for n in range(50)) + b" "
        assert await disk.read("log") == b"new"
        disk.close()

    asyncio.run(play())


def test_a_sync_that_hangs_stops_neither_the_loop_nor_later_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        disk = FolderDisk(tmp_path / "data")
        loop = asyncio.get_running_loop()
        begun = asyncio.Event()
        goes_on = asyncio.Event()

        def hangs(file: int) -> None:  # noqa: ARG001
            loop.call_soon_threadsafe(begun.set)
            asyncio.run_coroutine_threadsafe(goes_on.wait(), loop).result(30)

        monkeypatch.setattr("os.fsync", hangs)
        await disk.append("log", b"one")
        sync = asyncio.create_task(disk.sync("log"))
        await asyncio.wait_for(begun.wait(), 30)
        await asyncio.wait_for(disk.append("log", b"two"), 30)
        assert not sync.done()
        goes_on.set()
        await asyncio.wait_for(sync, 30)
        disk.close()

    asyncio.run(play())


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd"])
def test_names_are_flat(tmp_path: Path, name: str) -> None:
    async def play() -> None:
        disk = FolderDisk(tmp_path / "data")
        with pytest.raises(ValueError, match="flat"):
            await disk.append(name, b"")
        disk.close()

    asyncio.run(play())


def test_objects_are_shared_by_whoever_sees_the_folder(tmp_path: Path) -> None:
    async def play() -> None:
        ours, theirs = FolderObjects(tmp_path / "o"), FolderObjects(tmp_path / "o")
        await ours.put("segments/1", b"one")
        await ours.put("segments/1", b"two")
        await ours.put("..", b"dots")
        assert await theirs.names() == ["..", "segments/1"]
        assert await theirs.names("seg") == ["segments/1"]
        assert await theirs.get("segments/1") == b"two"
        await theirs.remove("segments/1")
        await theirs.remove("segments/1")
        with pytest.raises(FileNotFoundError):
            await ours.get("segments/1")
        with pytest.raises(OSError, match="without an object store"):
            await NoObjects().put("a", b"")

    asyncio.run(play())
