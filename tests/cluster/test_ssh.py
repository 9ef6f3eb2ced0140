"""What is particular to SSH: keys, lost connections, noise, proxies."""

import asyncio
import contextlib
import dataclasses
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cluster import (
    HostError,
    LocalHost,
    SshSettings,
    Unsupported,
    free_port,
    read_lab,
    ssh,
)
from cluster._local import environment
from cluster._sshlab import SSHD_COMMAND, SSHD_CONFIG, SshLab, make_key, ssh_lab

RELAY = """
import os, socket, sys, threading
sys.path.insert(0, sys.argv[1])
from cluster._namespaces import lab_socket
sock = lab_socket(sys.argv[2])
sock.connect((sys.argv[3], int(sys.argv[4])))
def up():
    while data := os.read(0, 65536):
        sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := sock.recv(65536):
    os.write(1, data)
"""

# Our parent is the lane, and its parent the sshd of this connection.
KILL_CONNECTION = 'read -r line < "/proc/$PPID/stat"; set -- ${line##*) }; kill -s KILL "$2"'


@contextlib.asynccontextmanager
async def lab_of(n: int, directory: Path) -> AsyncIterator[tuple[SshLab, list[SshSettings]]]:
    async with contextlib.AsyncExitStack() as stack:
        try:
            lab = await stack.enter_async_context(ssh_lab(n, directory=directory))
        except Unsupported as error:
            pytest.skip(str(error))
        yield lab, read_lab(lab.lab_toml)


def test_a_host_with_an_unknown_key_is_refused_unless_the_lab_says_otherwise(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with lab_of(1, tmp_path) as (_, [known]):
            empty = tmp_path / "empty"
            unknown = dataclasses.replace(known, known_hosts=(str(empty),))
            with pytest.raises(HostError, match=r"SHA256.* is not in .*host_keys = "):
                async with ssh([unknown]):
                    pass
            async with ssh([dataclasses.replace(unknown, host_keys="accept-new")]) as [host]:
                assert (await host.run(["echo", "in"])).text == "in"
            # From now on it is known, and needs no trust again.
            assert empty.read_text() == Path(known.known_hosts[0]).read_text()
            async with ssh([unknown]) as [host]:
                assert (await host.run(["echo", "again"])).text == "again"

    asyncio.run(main())


def test_a_host_whose_key_has_changed_is_refused_always(tmp_path: Path) -> None:
    async def main() -> None:
        async with lab_of(2, tmp_path) as (_, [one, two]):
            lines = Path(one.known_hosts[0]).read_text().splitlines()
            swapped = tmp_path / "swapped"
            swapped.write_text(lines[1].replace(two.address, one.address) + "\n")
            changed = dataclasses.replace(one, known_hosts=(str(swapped),), host_keys="accept-new")
            with pytest.raises(HostError, match="somebody is in between"):
                async with ssh([changed]):
                    pass

    asyncio.run(main())


def test_a_login_with_the_wrong_key_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        async with lab_of(1, tmp_path) as (lab, [right]):
            host_key = lab.lab_toml.parent / "n1.host_key"
            with pytest.raises(HostError, match=r"cannot log in.*authorized keys"):
                async with ssh([dataclasses.replace(right, keys=(str(host_key),))]):
                    pass

    asyncio.run(main())


def test_a_host_that_falls_silent_amid_a_command_is_an_error_in_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            lab_of(1, tmp_path) as (lab, [settings]),
            ssh([settings], keep=True) as [host],
        ):
            down = ["ip", "link", "set", "eth0", "down"]
            began = time.monotonic()
            command = asyncio.create_task(host.run(["sleep", "1000"], timeout_s=1))
            cut = await lab.hosts[0].run(down, check=False)
            if cut.code != 0:  # our keeper cannot; the login itself can
                with contextlib.suppress(HostError):
                    await host.run(down, timeout_s=0.5)
            with pytest.raises(HostError, match="did not end within 1 s"):
                await command
            assert time.monotonic() - began < 30  # what counts is that it ended
            with contextlib.suppress(HostError):
                await host.run(["true"], timeout_s=0.5)

    asyncio.run(main())


def test_a_connection_that_broke_is_made_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with lab_of(1, tmp_path) as (_, [settings]), ssh([settings]) as [host]:
            with pytest.raises(HostError, match=r"the connection broke|did not end"):
                await host.run(["sh", "-c", KILL_CONNECTION], timeout_s=5)
            assert (await host.run(["echo", "again"])).text == "again"

    asyncio.run(main())


def test_a_proxy_command_carries_ssh_and_dialling(tmp_path: Path) -> None:
    async def main() -> None:
        async with lab_of(1, tmp_path) as (_, [settings]):
            assert settings.via is not None
            keeper = settings.via.removeprefix("unix:")
            here = str(Path(__file__).parents[2])
            relay = (sys.executable, "-c", RELAY, here, keeper, "%h", "%p")
            proxied = dataclasses.replace(settings, via=None, proxy_command=relay)
            async with ssh([proxied]) as [host]:
                assert (await host.run(["hostname"])).text == "n1"
                with await host.dial(22) as sock:
                    greeting = await asyncio.get_running_loop().sock_recv(sock, 7)
                assert greeting == b"SSH-2.0"

    asyncio.run(main())


def test_a_login_without_root_does_not_pretend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All logins of such a lab may change the network; make this one appear as a plain user.
    monkeypatch.setattr("cluster._ssh.WHO", "echo 1000; echo 0000000000000000")

    async def main() -> None:
        async with lab_of(1, tmp_path) as (_, [settings]):
            async with ssh([settings]) as [host]:
                assert host.capabilities == {"signals", "files"}
                with pytest.raises(Unsupported, match=r"needs root.*sudo = true"):
                    await host.run(["iptables", "-S"], sudo=True)
            with pytest.raises(Unsupported, match="sudo asks"):
                async with ssh([dataclasses.replace(settings, sudo=True)]):
                    pass

    asyncio.run(main())


def test_what_start_up_files_print_is_not_taken_for_output(tmp_path: Path) -> None:
    async def main() -> None:
        async with lab_of(1, tmp_path) as (lab, [settings]):
            config = lab.lab_toml.parent / "n1.sshd_config"
            noisy = "ForceCommand sh -c 'echo welcome; echo oops >&2; exec sh'\n"
            config.write_text(config.read_text() + noisy)
            # sshd reads its configuration anew for every connection when it gets HUP.
            hup = 'for p in /proc/[0-9]*; do grep -q "[l]istener" $p/cmdline && kill -s HUP '
            hup += '"${p#/proc/}"; done; :'
            await lab.hosts[0].run(["sh", "-c", hup])
            for _ in range(100):
                try:
                    async with ssh([settings]) as [host]:
                        done = await host.run(["echo", "mine"])
                        assert (done.stdout, done.stderr) == (b"mine\n", b"")
                        return
                except HostError as error:
                    if "cannot reach" not in str(error):
                        raise
                    await asyncio.sleep(0.05)
            raise AssertionError("sshd did not come back")

    asyncio.run(main())


def test_a_host_at_a_plain_address_needs_no_keeper(tmp_path: Path) -> None:
    sshd = shutil.which("sshd", path=environment()["PATH"])
    if sshd is None or shutil.which("ssh-keygen") is None:
        pytest.skip("there is no sshd; install openssh-server")
    port, own_mounts = free_port(), ["unshare", "-m"] if os.geteuid() == 0 else []
    config, known = tmp_path / "config", tmp_path / "known_hosts"
    text = SSHD_CONFIG.format(
        port=port, address="127.0.0.1", key=tmp_path / "host", authorized=tmp_path / "id.pub"
    )
    config.write_text(text)
    lab = tmp_path / "lab.toml"
    lab.write_text(
        f'key = "id"\nknown_hosts = "known_hosts"\nport = {port}\n'
        f'directory = "{tmp_path}"\nhosts = ["127.0.0.1"]\n'
    )

    async def main() -> None:
        await make_key(tmp_path / "host")
        await make_key(tmp_path / "id")
        kind, key, *_ = (tmp_path / "host.pub").read_text().split()
        known.write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
        machine = LocalHost("machine", str(tmp_path))
        log = str(tmp_path / "log")
        serve = ["sh", "-c", SSHD_COMMAND, "sshd", sshd, str(config), log]
        try:
            await machine.start("sshd", [*own_mounts, *serve])
            async with asyncio.timeout(20):
                while True:
                    with contextlib.suppress(OSError):
                        (await machine.dial(port)).close()
                        break
                    await asyncio.sleep(0.02)
            async with ssh(lab) as [host]:
                assert (host.name, host.address) == ("n1", "127.0.0.1")
                assert (await host.run(["cat"], input=b"through")).stdout == b"through"
                (await host.dial(port)).close()
        finally:
            await machine.stop("sshd")

    asyncio.run(main())


def test_nobody_there_is_told_with_address_and_port(tmp_path: Path) -> None:
    nobody = SshSettings(
        name="n1", address="127.0.0.1", user="root", port=1, known_hosts=(str(tmp_path / "none"),)
    )

    async def main() -> None:
        async with ssh([nobody]):
            pass

    with pytest.raises(HostError, match=r"n1: cannot reach 127\.0\.0\.1 port 1"):
        asyncio.run(main())
