"""A hostile node, a hostile lab file, a hostile journal: what they cannot do.

Each test here stands in the table of docs/security.md.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from cluster import HostError, Journal, LabFileError, LocalHost, heal, read_lab

kinds_with_limits = pytest.mark.parametrize("kind", ["local", "netns", "ssh", "command"])


@kinds_with_limits
def test_a_node_that_talks_without_end_is_an_error_not_our_memory(
    labs: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("_local", "_lane"):
        monkeypatch.setattr(f"cluster.{module}.OUTPUT_BYTES_MAX", 1_000_000)

    async def main() -> None:
        async with labs(kind) as [host]:
            with pytest.raises(HostError, match="more than 1000000 bytes"):
                await host.run(["cat", "/dev/zero"])
            assert (await host.run(["echo", "next"])).text == "next"

    asyncio.run(main())


def test_a_file_without_end_stops_when_nobody_waits_for_it(labs: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with labs("ssh") as [host]:
            endless = f"{host.directory}/log"
            await host.run(["truncate", "-s", "1T", endless])
            here, begun = tmp_path / "here", asyncio.Event()
            loop = asyncio.get_running_loop()
            fetch = asyncio.create_task(
                host.download(
                    endless,
                    str(here),
                    progress=lambda *_: loop.call_soon_threadsafe(begun.set),
                )
            )
            await begun.wait()
            fetch.cancel()
            with pytest.raises(asyncio.CancelledError):
                await fetch
            # The session is free again: the thread that filled our disk has ended.
            async with asyncio.timeout(30):
                for number in range(3):
                    await host.write(f"{host.directory}/{number}", b"x")
            assert not here.exists()
            assert not list(tmp_path.glob("here*.new"))

    asyncio.run(main())


def test_what_a_node_says_cannot_repaint_the_terminal(tmp_path: Path) -> None:
    host = LocalHost("n1", str(tmp_path))
    with pytest.raises(HostError) as told:
        asyncio.run(host.run(["sh", "-c", r'printf "\033[2J\033]0;mine\007\rgone" >&2; exit 1']))
    assert "\033" not in str(told.value)
    assert "\r" not in str(told.value)
    assert "gone" in str(told.value)


@pytest.mark.parametrize("pid", ["1", "0", "-1", "", "$(id)", "1 1"])
def test_a_forged_pid_file_signals_nobody_else(tmp_path: Path, pid: str) -> None:
    host = LocalHost("n1", str(tmp_path))
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    fields = Path("/proc/1/stat").read_text().rpartition(")")[2].split()
    (tmp_path / "db.pid").write_text(f"{pid} {fields[19]} {boot}\n")
    assert not asyncio.run(host.signal("db", "0"))


def test_a_directory_that_was_there_before_us_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "ours").symlink_to(tmp_path / "elsewhere")
    host = LocalHost("n1", str(tmp_path / "ours"))
    with pytest.raises(HostError, match="File exists"):
        asyncio.run(host.make_directory("run"))
    assert not list((tmp_path / "elsewhere").iterdir())
    fresh = LocalHost("n1", str(tmp_path / "deep" / "fresh"))
    asyncio.run(fresh.make_directory("run"))
    assert (tmp_path / "deep" / "fresh").stat().st_mode & 0o777 == 0o700


def test_only_what_bears_our_mark_is_removed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    host = LocalHost("n1", str(tmp_path / "mine"))
    with pytest.raises(HostError, match="does not carry the mark"):
        asyncio.run(host.remove_directory("run"))
    assert (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('address = "-oProxyCommand=id"', "is no address"),
        ('address = "a b"', "is no address"),
        ('address = "a"\nuser = "-lroot"', "is no user"),
        ('address = "a"\nname = "../../etc"', "is no name of a host"),
        ('address = "a"\nname = "-rf"', "is no name of a host"),
        ('address = "a"\ndirectory = "tmp"', "absolute"),
        ('address = "a"\njump = "-oProxyCommand=id"', "is no address"),
        ('address = "a"\npassword = "x"', "'password' is not known"),
    ],
)
def test_words_of_a_lab_file_cannot_pass_for_options_or_paths(
    tmp_path: Path, line: str, said: str
) -> None:
    lab = tmp_path / "lab.toml"
    lab.write_text(f'ssh_config = "none"\n[[hosts]]\n{line}\n')
    with pytest.raises(LabFileError, match=said):
        read_lab(lab)


def journal_of_a_killed_run(tmp_path: Path) -> tuple[Path, Path]:
    """A journal with one undo command, and the file which that would make."""
    path, made = tmp_path / "faults.jsonl", tmp_path / "made"
    with Journal(path) as journal:
        host = LocalHost("n1", str(tmp_path))
        journal.open("fault", host, [["touch", str(made)]])
    return path, made


def test_a_journal_that_everybody_may_write_is_not_obeyed(tmp_path: Path) -> None:
    path, made = journal_of_a_killed_run(tmp_path)
    path.chmod(0o666)
    [healed] = asyncio.run(heal(path, even_running=True))
    assert (healed.outcome, made.exists()) == ("failed", False)
    assert "chmod o-w" in healed.detail
    path.chmod(0o644)
    [healed] = asyncio.run(heal(path, even_running=True))
    assert (healed.outcome, made.exists()) == ("undone", True)


def test_a_strangers_journal_is_not_obeyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, made = journal_of_a_killed_run(tmp_path)
    stranger = os.geteuid() + 1
    monkeypatch.setattr("cluster._heal.os.geteuid", lambda: stranger)
    if path.stat().st_uid == 0:
        os.chown(path, stranger + 1, -1)
    [healed] = asyncio.run(heal(path, even_running=True))
    assert (healed.outcome, made.exists()) == ("failed", False)
    assert "chown it if you trust its commands" in healed.detail
    monkeypatch.setenv("SUDO_UID", str(path.stat().st_uid))  # `sudo momus heal` of one's own run
    [healed] = asyncio.run(heal(path, even_running=True))
    assert (healed.outcome, made.exists()) == ("undone", True)


def test_arguments_are_arguments_whatever_is_in_them(labs: Any, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    nasty = [f"; touch {trap}", f"$(touch {trap})", f"`touch {trap}`", f"\n touch {trap}\n", "-rf"]

    async def main() -> None:
        async with labs("ssh") as [host]:
            done = await host.run(["printf", "%s|", *nasty])
            assert done.stdout == "".join(f"{each}|" for each in nasty).encode()
            await host.write(f"{host.directory}/a; touch `id` $HOME", b"x")
            name = f"x$(touch {trap})"
            await host.start("db", ["sh", "-c", "sleep 1000", name], env={"A": nasty[1]})

    asyncio.run(main())
    assert not trap.exists()
