"""Healing what a killed driver left: all of it, only ours, and no more than once."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster import Journal, LocalHost, heal
from cluster._posix import kill_undo, remove_undo
from cluster._sshlab import ssh_lab

DRIVER = """
import asyncio, contextlib, sys
from cluster import Journal, local, namespaces, ssh

async def main(kind, top, lab):
    journal = Journal(top + "/faults.jsonl")
    labs = {"local": lambda: local(2, directory=top, journal=journal),
            "netns": lambda: namespaces(2, directory=top, journal=journal),
            "ssh": lambda: ssh(lab, journal=journal)}
    async with labs[kind]() as hosts:
        for host in hosts:
            daemon = await host.start("nap", ["sleep", "1000"])
            print(daemon.pid, daemon.start, flush=True)
        print("up", flush=True)
        await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""


def killed_driver(kind: str, top: Path, lab: str = "") -> list[tuple[int, int]]:
    """Let a driver start daemons, kill it, and give (pid, start time) of its daemons."""
    argv = [sys.executable, "-c", DRIVER, kind, str(top), lab]
    driver = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    told = []
    try:
        for line in driver.stdout:
            if line == "up\n":
                break
            pid, start = line.split()
            told.append((int(pid), int(start)))
    finally:
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        driver.stdout.close()
    return told


def is_alive(pid: int, start: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in "ZX" and int(fields[19]) == start


def test_daemons_and_directories_of_a_killed_driver_go(tmp_path: Path) -> None:
    daemons = killed_driver("local", tmp_path)
    assert [is_alive(*each) for each in daemons] == [True, True]
    healed = asyncio.run(heal(tmp_path))
    assert {(each.kind, each.outcome) for each in healed} == {
        ("daemon", "undone"),
        ("directory", "undone"),
    }
    assert not any(is_alive(*each) for each in daemons)
    assert [each.name for each in tmp_path.iterdir()] == ["faults.jsonl"]
    assert asyncio.run(heal(tmp_path)) == []  # a second time there is nothing to do


def test_a_start_that_was_on_its_way_when_its_driver_died_is_barred_by_the_healing(
    tmp_path: Path,
) -> None:
    class Slow(LocalHost):
        """Its commands to start something are sent, and arrive later."""

        sent: Any = None

        async def run(self, argv: Any, **options: Any) -> Any:
            if "momus-start" in argv and self.sent is None:
                self.sent = argv
                raise ConnectionAbortedError
            return await super().run(argv, **options)

    async def main() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            host = Slow("n1", str(tmp_path), journal=journal)
            with pytest.raises(ConnectionAbortedError):
                await host.start("nap", ["sleep", "1000"])
            [entry] = Journal.open_entries(journal.path)
            for argv in entry.undo:
                assert (await host.run(argv, check=False)).code == 0
            arrived = await host.run(host.sent, check=False)
            assert arrived.text == ""
            assert b"it has been undone" in arrived.stderr
            assert not await host.alive("nap")
            # What was barred is that start, not the daemon: its next life is another one's matter.
            await host.stop("nap")
            await host.start("nap", ["sleep", "1000"])
            assert await host.alive("nap")
            await host.stop("nap")

    asyncio.run(main())


def test_namespaces_leave_only_a_directory_to_heal(labs: Any, tmp_path: Path) -> None:
    async def supported() -> None:
        async with labs("netns"):
            pass

    asyncio.run(supported())
    killed_driver("netns", tmp_path)
    healed = asyncio.run(heal(tmp_path))
    assert [(each.kind, each.outcome) for each in healed] == [("directory", "undone")]
    assert [each.name for each in tmp_path.iterdir()] == ["faults.jsonl"]


def test_ssh_hosts_are_healed_from_another_process(labs: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()

    async def main() -> None:
        async with labs("ssh", 1):
            pass  # skips where it is unsupported
        async with ssh_lab(2, directory=tmp_path) as lab:
            await asyncio.to_thread(killed_driver, "ssh", run, str(lab.lab_toml))
            naps = ["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -o '[s]leep 1000'"]
            assert (await lab.hosts[0].run(naps)).text.count("sleep 1000") == 2
            healed = await heal(run)
            assert {each.outcome for each in healed} == {"undone"}
            assert sorted((each.kind, each.host) for each in healed) == [
                ("daemon", "n1"),
                ("daemon", "n2"),
                ("directory", "n1"),
                ("directory", "n2"),
            ]
            assert (await lab.hosts[0].run(naps, check=False)).stdout == b""
            left = [each.name for each in lab.lab_toml.parent.glob("momus-*")]
            assert left == []

    asyncio.run(main())


def test_hosts_of_a_lab_that_is_gone_are_told_gone(labs: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()

    async def main() -> None:
        async with labs("ssh", 1):
            pass
        async with ssh_lab(1, directory=tmp_path) as lab:
            await asyncio.to_thread(killed_driver, "ssh", run, str(lab.lab_toml))
        assert {each.outcome for each in await heal(run)} == {"gone"}
        assert await heal(run) == []

    asyncio.run(main())


def test_a_run_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            host = LocalHost("n1", str(tmp_path), journal=journal)
            await host.start("nap", ["sleep", "1000"])
            assert [each.outcome for each in await heal(tmp_path)] == ["running"]
            assert await host.alive("nap")
            told = await heal(tmp_path, even_running=True)
            assert [each.outcome for each in told] == ["undone"]
            assert not await host.alive("nap")

    asyncio.run(main())


def killed_journal(path: Path, host: LocalHost, kind: str, undo: list[list[str]]) -> None:
    """A journal with one open entry, whose writer has ended."""
    with Journal(path) as journal:
        journal.open(kind, host, undo, {"directory": host.directory})
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0].replace('"start":', '"start":1'), *lines[1:]]) + "\n")


def test_a_stranger_with_the_daemons_pid_survives(tmp_path: Path) -> None:
    async def main() -> None:
        host = LocalHost("n1", str(tmp_path))
        stranger = await host.start("stranger", ["sleep", "1000"])
        identity = f"{stranger.pid} {stranger.start - 1} {stranger.boot}\n"
        await host.write(f"{tmp_path}/ours.pid", identity.encode())
        killed_journal(tmp_path / "faults.jsonl", host, "daemon", kill_undo(str(tmp_path), "ours"))
        assert [each.outcome for each in await heal(tmp_path)] == ["undone"]
        assert await host.alive("stranger")
        await host.stop("stranger")

    asyncio.run(main())


def test_a_directory_without_our_mark_is_not_removed(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "letter").write_text("dear")
    host = LocalHost("n1", str(theirs))
    journal = tmp_path / "faults.jsonl"
    killed_journal(journal, host, "directory", remove_undo(str(theirs), "run-1"))
    [told] = asyncio.run(heal(tmp_path))
    assert told.outcome == "failed"
    assert "does not carry the mark" in told.detail
    assert (theirs / "letter").exists()
    assert len(Journal.open_entries(journal)) == 1  # and it is told of again next time


def test_an_undo_that_fails_stays_open_and_says_why(tmp_path: Path) -> None:
    host = LocalHost("n1", str(tmp_path))
    undo = [["sh", "-c", "echo no such chain >&2; exit 2"]]
    killed_journal(tmp_path / "faults.jsonl", host, "partition", undo)
    [told] = asyncio.run(heal(tmp_path))
    assert (told.outcome, told.settled) == ("failed", False)
    assert "exited with 2: no such chain" in told.detail


@pytest.mark.parametrize("spec", [{"kind": "balloon", "name": "n1"}, {"kind": "ssh", "name": "n1"}])
def test_a_host_nobody_can_make_again_is_told_of(tmp_path: Path, spec: dict[str, str]) -> None:
    class Odd:
        def spec(self) -> dict[str, str]:
            return {**spec, "directory": "/nowhere"}

    path = tmp_path / "faults.jsonl"
    with Journal(path) as journal:
        journal.open("daemon", Odd(), [["true"]])
    [told] = asyncio.run(heal(path, even_running=True))
    assert (told.host, told.outcome) == ("n1", "failed")
