"""What holds for every kind of host."""

import asyncio
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster import Host, HostError, Unsupported, host_from_spec
from cluster._posix import kill_undo

every_kind = pytest.mark.parametrize("kind", ["netns", "local", "ssh", "command"])
every_dialled_kind = pytest.mark.parametrize("kind", ["netns", "local", "ssh"])


async def until(condition: Any, timeout_s: float = 10) -> None:
    """Await an async condition."""
    async with asyncio.timeout(timeout_s):
        while not await condition():
            await asyncio.sleep(0.02)


async def runs(host: Host, pid: int) -> bool:
    done = await host.run(["kill", "-0", str(pid)], check=False)
    return done.code == 0


async def is_written(host: Host, path: str) -> bool:
    done = await host.run(["test", "-s", path], check=False)
    return done.code == 0


@every_kind
def test_arguments_and_input_arrive_byte_for_byte(labs: Any, kind: str) -> None:
    nasty = ["a b", "new\nline", "it's", '"$HOME"', "`id`; exit 9", "", "-n", "ümlaut", "*", "\\0"]

    async def main() -> None:
        async with labs(kind) as [host]:
            argv = ["sh", "-c", 'printf "%s|" "$@"; cat', "sh", *nasty]
            done = await host.run(argv, input=bytes(range(256)))
            assert done.stdout == "".join(f"{x}|" for x in nasty).encode() + bytes(range(256))
            assert (done.code, done.stderr, done.argv) == (0, b"", tuple(argv))

    asyncio.run(main())


@every_kind
def test_output_and_exit_code_come_back(labs: Any, kind: str) -> None:
    async def main() -> None:
        async with labs(kind) as [host]:
            argv = ["sh", "-c", "printf out; printf err >&2; exit 7"]
            done = await host.run(argv, check=False)
            assert (done.code, done.stdout, done.stderr) == (7, b"out", b"err")
            with pytest.raises(HostError, match="exited with 7: err") as caught:
                await host.run(argv)
            assert caught.value.host == host.name
            assert (await host.run(["no-such-program"], check=False)).code == 127
            big = await host.run(["head", "-c", "3000000", "/dev/zero"])
            assert big.stdout == bytes(3_000_000)

    asyncio.run(main())


@every_kind
def test_a_command_out_of_time_is_an_error_and_is_killed(labs: Any, kind: str) -> None:
    async def main() -> None:
        async with labs(kind) as [host]:
            pid_file = f"{host.directory}/pid"
            argv = ["sh", "-c", 'echo $$ > "$1"; sleep 1000; :', "sh", pid_file]
            with pytest.raises(HostError, match=r"did not end within 0\.5 s"):
                await host.run(argv, timeout_s=0.5)
            pid = int(await host.read(pid_file))

            async def gone() -> bool:
                return not await runs(host, pid)

            await until(gone)
            assert (await host.run(["echo", "still here"])).text == "still here"

    asyncio.run(main())


@every_kind
def test_a_cancelled_command_is_killed(labs: Any, kind: str) -> None:
    async def main() -> None:
        async with labs(kind) as [host]:
            pid_file = f"{host.directory}/pid"
            argv = ["sh", "-c", 'echo $$ > "$1"; sleep 1000; :', "sh", pid_file]
            task = asyncio.create_task(host.run(argv, timeout_s=60))

            async def begun() -> bool:
                return await is_written(host, pid_file)

            await until(begun)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            pid = int(await host.read(pid_file))

            async def gone() -> bool:
                return not await runs(host, pid)

            await until(gone)

    asyncio.run(main())


@every_kind
def test_many_commands_run_at_once(labs: Any, kind: str) -> None:
    async def main() -> None:
        async with labs(kind) as [host]:
            done = await asyncio.gather(*(host.run(["echo", str(i)]) for i in range(30)))
            assert [each.text for each in done] == [str(i) for i in range(30)]

    asyncio.run(main())


@every_kind
def test_a_daemon_lives_until_it_is_stopped(labs: Any, kind: str) -> None:
    async def main() -> None:
        async with labs(kind) as [host]:
            script = "trap 'echo bye; exit' TERM; echo hello $WHOM; while :; do sleep 0.05; done"
            started = await host.start("loop", ["sh", "-c", script], env={"WHOM": "a 'b"})
            assert await runs(host, started.pid)
            assert await host.alive("loop")
            await until(lambda: is_written(host, f"{host.directory}/loop.log"))
            with pytest.raises(HostError, match="runs already"):
                await host.start("loop", ["true"])
            assert await host.signal("loop", "STOP")
            assert await host.alive("loop")  # paused is not dead
            await host.stop("loop", 5)  # also when paused
            assert not await host.alive("loop")
            assert not await host.signal("loop", "KILL")
            log = await host.read(f"{host.directory}/loop.log")
            assert log.startswith(b"hello a 'b\n")
            assert log.endswith(b"bye\n")

    asyncio.run(main())


@every_kind
@pytest.mark.parametrize("way", ["stop", "undo"])
def test_children_of_a_daemon_that_died_alone_are_ended_with_it(
    labs: Any, kind: str, way: str
) -> None:
    async def main() -> None:
        async with labs(kind) as [host]:
            daemon = await host.start("dead", ["sh", "-c", "sleep 60 & echo $! > child; exit"])
            await until(lambda: is_written(host, f"{host.directory}/child"))
            child = int((await host.read(f"{host.directory}/child")).strip())
            await until(lambda: _not(runs(host, daemon.pid)))
            assert await runs(host, child)
            if way == "stop":
                await host.stop("dead")
            else:
                for argv in kill_undo(host.directory, "dead"):
                    await host.run(argv)
            await until(lambda: _not(runs(host, child)))

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["local", "ssh"])
def test_who_starts_and_who_stops_a_daemon_wait_for_one_another(labs: Any, kind: str) -> None:
    async def main() -> None:
        async with labs(kind) as [host]:
            for _ in range(5):
                started, _ = await asyncio.gather(host.start("d", ["sleep", "60"]), host.stop("d"))
                await host.stop("d")
                pid = started.pid
                await until(lambda pid=pid: _not(runs(host, pid)))

    asyncio.run(main())


async def _not(question: Any) -> bool:
    return not await question


@every_kind
def test_a_signal_reaches_the_daemons_children(labs: Any, kind: str) -> None:
    async def main() -> None:
        async with labs(kind) as [host]:
            child = f"{host.directory}/child"
            script = 'sleep 1000 & echo $! > "$1"; wait'
            await host.start("fork", ["sh", "-c", script, "sh", child])

            async def written() -> bool:
                return await is_written(host, child)

            await until(written)
            pid = int(await host.read(child))
            assert await runs(host, pid)
            assert await host.signal("fork", "KILL")

            async def gone() -> bool:
                state = await host.run(["cat", f"/proc/{pid}/stat"], check=False)
                return state.code != 0 or b") Z " in state.stdout

            await until(gone)

    asyncio.run(main())


@every_kind
def test_a_stranger_who_inherited_the_pid_is_never_signalled(labs: Any, kind: str) -> None:
    async def main() -> None:
        async with labs(kind) as [host]:
            stranger = await host.start("stranger", ["sleep", "1000"])
            other_start = f"{stranger.pid} {stranger.start - 1} {stranger.boot}\n"
            other_boot = f"{stranger.pid} {stranger.start} {'0' * 36}\n"
            for identity in (other_start, other_boot):
                await host.write(f"{host.directory}/ours.pid", identity.encode())
                assert not await host.alive("ours")
                assert not await host.signal("ours", "KILL")
            assert await host.alive("stranger")

    asyncio.run(main())


@every_kind
def test_a_program_that_does_not_exist_is_no_daemon(labs: Any, kind: str) -> None:
    async def main() -> None:
        async with labs(kind) as [host]:
            with pytest.raises(HostError, match="no such program: nowhere"):
                await host.start("nothing", ["nowhere", "--at-all"])
            assert not await host.alive("nothing")

    asyncio.run(main())


@every_kind
def test_files_travel_both_ways(labs: Any, kind: str, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    here, back = tmp_path / "here", tmp_path / "back"
    here.write_bytes(data)
    here.chmod(0o750)

    async def main() -> None:
        async with labs(kind) as [host]:
            there = f"{host.directory}/with space"
            told: list[tuple[int, int]] = []
            await host.upload(str(here), there, progress=lambda *so_far: told.append(so_far))
            assert told[-1] == (len(data), len(data))
            assert (await host.run(["stat", "-c", "%a", there])).text == "750"
            told.clear()
            await host.download(there, str(back), progress=lambda *so_far: told.append(so_far))
            assert told[-1] == (len(data), len(data))
            await host.write(f"{host.directory}/small", b"\0\xff\n", mode=0o600)
            assert await host.read(f"{host.directory}/small") == b"\0\xff\n"
            mode = (await host.run(["stat", "-c", "%a", f"{host.directory}/small"])).text
            assert mode == "600"
            with pytest.raises(HostError):
                await host.read(f"{host.directory}/absent")

    asyncio.run(main())
    assert back.read_bytes() == data
    assert stat.S_IMODE(here.stat().st_mode) == 0o750


@every_dialled_kind
def test_dialling_reaches_a_server_or_is_refused(labs: Any, kind: str) -> None:
    async def main() -> None:
        async with labs(kind) as [host]:
            port = host.port(8000)
            with pytest.raises(ConnectionRefusedError):
                await host.dial(port)
            serve = ["-m", "http.server", "--bind", host.address, str(port)]
            await host.start("web", [sys.executable, *serve])

            async def answers() -> bool:
                try:
                    sock = await host.dial(port)
                except ConnectionRefusedError:
                    return False
                with sock:
                    loop = asyncio.get_running_loop()
                    await loop.sock_sendall(sock, b"GET / HTTP/1.0\r\n\r\n")
                    return (await loop.sock_recv(sock, 100)).startswith(b"HTTP/1.0 200")

            await until(answers, 20)

    asyncio.run(main())


@every_kind
def test_a_host_is_the_same_host_when_made_from_its_spec(labs: Any, kind: str) -> None:
    async def main() -> None:
        async with labs(kind) as [host]:
            await host.start("nap", ["sleep", "1000"])
            again = host_from_spec(host.spec())
            assert (again.name, again.kind, again.address) == (host.name, kind, host.address)
            assert await again.alive("nap")
            await again.stop("nap")
            await again.close()
            assert not await host.alive("nap")

    asyncio.run(main())


@every_kind
def test_leaving_the_lab_ends_daemons_and_removes_directories(labs: Any, kind: str) -> None:
    async def main() -> tuple[int, str]:
        async with labs(kind) as [host]:
            await host.start("nap", ["sleep", "1000"])
            return 0, host.directory

    _, directory = asyncio.run(main())
    assert not Path(directory).exists()


def test_local_hosts_say_that_they_cannot_be_parted(labs: Any) -> None:
    async def main() -> None:
        async with labs("local", 2) as [one, two]:
            assert "network" not in one.capabilities
            assert one.port(2379) != two.port(2379)
            assert one.port(2379) == one.port(2379)

    asyncio.run(main())


def test_namespaces_and_root_logins_have_a_network_of_their_own(labs: Any) -> None:
    async def main() -> None:
        for kind in ("netns", "ssh"):
            async with labs(kind) as [host]:
                assert {"network", "root", "signals", "files"} <= host.capabilities
                assert host.port(2379) == 2379
                await host.run(["iptables", "-S"], sudo=True)

    asyncio.run(main())


def test_unsupported_is_a_host_error_that_says_what_to_try() -> None:
    error = Unsupported("n1", "no iptables", "apt install iptables")
    assert isinstance(error, HostError)
    assert str(error) == "n1: no iptables; apt install iptables"
