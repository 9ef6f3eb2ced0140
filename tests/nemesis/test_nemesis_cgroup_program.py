"""The program for control groups, on files that look like the kernel's, and on real ones."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import Journal, Unsupported, namespaces
from histories import Op
from nemesis import Nemesis, ProcessTable
from nemesis import _cgroup_program as program

HYBRID = """\
#subsys_name\thierarchy\tnum_cgroups\tenabled
cpu\t3\t1\t1
cpuacct\t3\t1\t1
memory\t0\t1\t1
io_of_old\t5\t1\t0
"""


class Tree:
    """Mounted control groups made of plain files."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.mountinfo = top / "mountinfo"
        self.known = top / "known"
        self.mountinfo.write_text("22 27 0:21 / /proc rw,relatime - proc proc rw\n")
        self.known.write_text(HYBRID)

    def mount(self, kind: str, at: Path, options: str, root: str = "/") -> None:
        at.mkdir(parents=True, exist_ok=True)
        (at / "cgroup.procs").touch()
        line = f"31 27 0:28 {root} {at} rw,relatime shared:4 - {kind} {kind} {options}\n"
        self.mountinfo.write_text(self.mountinfo.read_text() + line.replace("a b", "a\\040b"))

    def find(self, controller: str) -> dict[str, Any]:
        return program.find(controller, "momus-x", str(self.mountinfo), str(self.known))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture
def sleeper() -> Iterator[tuple[int, int]]:
    """A process that does nothing: its pid and start time."""
    process = subprocess.Popen(["sleep", "1000"])
    try:
        yield process.pid, program._start_of(process.pid)
    finally:
        process.kill()
        process.wait()


def remove_as_the_kernel_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of a group go with it."""
    rmdir = os.rmdir

    def remove(path: str) -> None:
        for file in Path(path).iterdir():
            file.unlink()
        rmdir(path)

    monkeypatch.setattr(os, "rmdir", remove)


def version_two(tree: Tree, on: str = "cpu memory") -> Path:
    at = tree.top / "a b"
    tree.mount("cgroup2", at, "rw,nsdelegate")
    (at / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (at / "cgroup.subtree_control").write_text(f"{on}\n")
    return at


def test_version_two_is_found_by_its_controllers(tree: Tree) -> None:
    at = version_two(tree)
    way = tree.find("cpu")
    assert (way["version"], way["at"], way["mount"]) == (2, str(at), None)
    assert way["name"] == "momus-x"
    assert tree.find("io")["name"] == "momus-x.switched-io"


def test_version_one_is_found_by_the_options_of_its_mount_and_under_its_own_name(
    tree: Tree,
) -> None:
    tree.mount("cgroup2", tree.top / "unified", "rw")
    (tree.top / "unified/cgroup.controllers").write_text("hugetlb\n")
    tree.mount("cgroup", tree.top / "cpu,cpuacct", "rw,cpu,cpuacct")
    tree.mount("cgroup", tree.top / "blkio", "rw,blkio")
    found = [(w["version"], w["controller"], w["at"]) for w in map(tree.find, ("cpu", "io"))]
    assert found == [
        (1, "cpu", str(tree.top / "cpu,cpuacct")),
        (1, "blkio", str(tree.top / "blkio")),
    ]


def test_a_tree_of_version_one_that_is_not_mounted_is_mounted_whole_under_our_name(
    tree: Tree,
) -> None:
    way = tree.find("cpu")
    assert (way["version"], way["mount"]) == (1, ["cgroup", "cpu,cpuacct"])
    assert way["at"] == way["point"] == "/run/momus-x.cgroup"


def test_a_controller_without_a_tree_is_had_from_version_two_and_never_taken_from_it(
    tree: Tree,
) -> None:
    assert tree.find("memory")["mount"] == ["cgroup2", ""]
    tree.mount("cgroup2", tree.top / "unified", "rw")
    (tree.top / "unified/cgroup.controllers").write_text("\n")
    with pytest.raises(LookupError, match="the controller memory is not given to us"):
        tree.find("memory")


def test_a_controller_that_the_kernel_lacks_is_named(tree: Tree) -> None:
    with pytest.raises(LookupError, match="the kernel has no controller pids"):
        tree.find("pids")


def test_the_origin_is_read_for_the_right_tree() -> None:
    cgroups = "9:name=systemd:/s\n3:cpu,cpuacct:/a:b/c\n7:blkio:/\n0::/user.slice/x.scope\n"
    ways: list[dict[str, Any]] = [
        {"version": 1, "controller": "cpu"},
        {"version": 1, "controller": "blkio"},
        {"version": 2, "controller": "cpu"},
    ]
    origins = [program.origin_of(way, cgroups) for way in ways]
    assert origins == ["/a:b/c", "/", "/user.slice/x.scope"]


def test_a_group_of_version_two_is_made_filled_emptied_and_removed(
    tree: Tree, sleeper: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files tell what the kernel would have been told."""
    at = version_two(tree, on="cpu")
    (at / "user.slice").mkdir()
    (at / "user.slice/cgroup.procs").touch()
    way = tree.find("io")
    group = at / way["name"]
    group.mkdir()  # the kernel would make the files in it
    for name in ("cgroup.procs", "io.max"):
        (group / name).touch()
    pid, start = sleeper
    settings = [("io.max", "8:0 wbps=1024", True), ("io.weight", "9", False)]
    program.enter(way, way["name"], settings, [(pid, start), (pid, start + 1)])
    assert (group / "io.max").read_text() == "8:0 wbps=1024"
    assert (group / "cgroup.procs").read_text() == str(pid)
    assert (at / "cgroup.subtree_control").read_text().startswith("+io")
    (at / "cgroup.subtree_control").write_text("cpu io\n")

    remove_as_the_kernel_does(monkeypatch)
    program.leave(way, way["name"], [(pid, start, "/user.slice")], "/")
    assert (at / "user.slice/cgroup.procs").read_text() == str(pid)
    assert not group.exists()
    assert (at / "cgroup.subtree_control").read_text().startswith("-io")
    program.leave(way, way["name"], [], "/")  # again: nothing to do


def test_what_was_switched_on_stays_on_until_the_last_group_of_ours_has_gone(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = version_two(tree, on="cpu io")
    other = at / f"momus-y{program.SWITCHED}io"
    other.mkdir()
    way = tree.find("io")
    assert way["name"].endswith(".switched-io"), "it is on, but for us only"
    assert tree.find("cpu")["name"] == "momus-x", "somebody else has switched it on"
    remove_as_the_kernel_does(monkeypatch)
    program.leave(way, way["name"], [], "/")
    assert (at / "cgroup.subtree_control").read_text() == "cpu io\n"


def test_whose_origin_is_gone_goes_to_the_nearest_group_above_it(
    tree: Tree, sleeper: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = version_two(tree)
    (at / "user.slice").mkdir()
    (at / "user.slice/cgroup.procs").touch()
    way = {**tree.find("cpu"), "root": "/docker"}
    (at / "momus-x").mkdir()
    (at / "momus-x/cgroup.procs").write_text(str(sleeper[0]))
    remove_as_the_kernel_does(monkeypatch)
    program.leave(way, "momus-x", [], "/docker/user.slice/session-1.scope")
    assert (at / "user.slice/cgroup.procs").read_text() == str(sleeper[0])


def test_a_real_tree_of_version_two_takes_a_process_and_gives_it_back(
    sleeper: tuple[int, int],
) -> None:
    """By whichever controller the kernel has left to version 2."""
    pid, start = sleeper
    way: dict[str, Any] = {"version": 0}
    for controller in ("pids", "cpu", "memory", "io", "hugetlb"):
        try:
            way = program.find(controller, f"momus-test-{pid}")
        except LookupError:
            continue
        if way["version"] == 2 and way["mount"] is None:
            break
    if way["version"] != 2 or os.geteuid() != 0:
        pytest.skip("no control groups of version 2 that we may write to")
    control = Path(way["at"], "cgroup.subtree_control")
    before, of_process = control.read_text(), Path(f"/proc/{pid}/cgroup")
    origin = program.origin_of(way, of_process.read_text())
    try:
        program.enter(way, way["name"], [], [(pid, start)])
        assert controller in control.read_text().split()
        assert program.look(way, way["name"], ["cgroup.type"]) == {
            "there": True,
            "pids": [pid],
            "files": {"cgroup.type": "domain\n"},
        }
        assert way["name"] in program.origin_of(way, of_process.read_text())
    finally:
        program.leave(way, way["name"], [(pid, start, origin)], "/")
    assert program.origin_of(way, of_process.read_text()) == origin
    assert not Path(way["at"], way["name"]).exists()
    assert control.read_text() == before


def test_a_tree_that_is_not_mounted_is_mounted_for_the_fault_and_unmounted_after_it(
    tmp_path: Path, system: Any
) -> None:
    """In a namespace from which the tree of the controller was taken away."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount control groups")
    if program.find("pids", "momus-x")["version"] != 1:
        pytest.skip("this machine has control groups of version 2, which are mounted as a whole")

    async def play() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with namespaces(1, directory=tmp_path, journal=journal) as [host]:
                way = program.find("pids", "momus-x")
                await host.run(["umount", way["at"]])
                before = (await host.run(["cat", "/proc/self/mountinfo"])).text
                await system.start(host)
                nemesis = Nemesis([ProcessTable(system)], [host], journal)
                try:
                    await nemesis.setup()
                    done = await nemesis.invoke(Op("start-process-table", {"targets": ["n1"]}))
                    assert (done.type, done.error) == ("ok", None)
                    during = (await host.run(["cat", "/proc/self/mountinfo"])).text
                    assert f"/run/momus-{journal.run}-n1-process-table.cgroup" in during
                    assert (await nemesis.invoke(Op("stop-process-table"))).type == "ok"
                finally:
                    await nemesis.teardown()
                assert (await host.run(["cat", "/proc/self/mountinfo"])).text == before
                assert list(Path("/run").glob(f"momus-{journal.run}*")) == []
                assert not list(Path(way["at"]).glob(f"momus-{journal.run}*"))

    try:
        asyncio.run(play())
    except Unsupported as error:
        if error.host == "this machine":
            pytest.skip(str(error))
        raise
