"""Logins and connections, against a second sshd on the first host of one lab.

The lab is raised once for all tests here; each test starts the sshd that it needs, with the
settings that it is about.
"""

import asyncio
import contextlib
import dataclasses
import logging
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from cluster import (
    HostError,
    Journal,
    SshHost,
    SshSettings,
    Unsupported,
    _link,
    lab_down,
    lab_up,
    read_lab,
    ssh,
)
from cluster._local import environment
from cluster._sshlab import SSHD_COMMAND, SSHD_CONFIG

PORT = 2201

# $1 the pid of a listening sshd: it and the processes of its connections die at once, each
# with its whole process group.
KILL_SSHD = """
for each in "$1" $(cat "/proc/$1/task/$1/children"); do kill -s KILL -- "-$each" "$each"; done
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The lab file of two hosts."""
    directory = tmp_path_factory.mktemp("ssh") / "lab"
    try:
        up = lab_up(directory, 2)
    except HostError as error:
        pytest.skip(str(error))
    try:
        yield up.lab_toml
    finally:
        lab_down(directory)


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A new private key; beside it lies its public half."""
    argv = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path)]
    subprocess.run([*argv, *(["-b", "2048"] if kind == "rsa" else [])], check=True)
    return path


@contextlib.asynccontextmanager
async def sshd_with(
    lab: Path, tmp_path: Path, lines: str = "", kind: str = "ed25519", keys: Sequence[Path] = ()
) -> AsyncIterator[tuple[SshHost, SshSettings, list[str]]]:
    """A second sshd on n1: the host it runs on, how to log in to it, and its command line."""
    [first, _] = read_lab(lab)
    host_key = make_key(tmp_path / "host_key", kind)
    authorized, config = tmp_path / "authorized", tmp_path / "sshd_config"
    publics = [lab.parent / "id.pub", *(Path(f"{key}.pub") for key in keys)]
    authorized.write_text("".join(each.read_text() for each in publics))
    config.write_text(
        SSHD_CONFIG.format(port=PORT, address=first.address, key=host_key, authorized=authorized)
        + lines
    )
    public = " ".join((tmp_path / "host_key.pub").read_text().split()[:2])
    known = tmp_path / "known_hosts"
    known.write_text(f"[{first.address}]:{PORT} {public}\n")
    second = dataclasses.replace(first, port=PORT, known_hosts=(str(known),))
    sshd = shutil.which("sshd", path=environment()["PATH"])
    assert sshd is not None
    command = ["sh", "-c", SSHD_COMMAND, "sshd", sshd, str(config), str(tmp_path / "log")]
    async with ssh([first]) as [host]:
        await host.start("second", command)
        await until_it_answers(host)
        yield host, second, command


async def until_it_answers(host: SshHost) -> None:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(OSError):
                (await host.dial(PORT)).close()
                return
            await asyncio.sleep(0.02)


async def kill_sshd(host: SshHost) -> None:
    """End the second sshd and its connections, as a power cut would."""
    pid = (await host.read(f"{host.directory}/second.pid")).split()[0].decode()
    await host.run(["sh", "-c", KILL_SSHD, "sh", pid], check=False)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_hosts_and_logins_with_each_type_of_key(lab: Path, tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path / "mine", kind)

    async def main() -> None:
        async with sshd_with(lab, tmp_path, kind=kind, keys=[key]) as (_, second, _):
            mine = dataclasses.replace(second, keys=(str(key),))
            async with ssh([mine]) as [host]:
                assert (await host.run(["hostname"])).text == "n1"

    asyncio.run(main())


def test_a_key_with_a_passphrase_is_left_to_the_agent(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = make_key(tmp_path / "locked", passphrase="open sesame")
    ask = tmp_path / "ask"
    ask.write_text("#!/bin/sh\necho open sesame\n")
    ask.chmod(0o755)
    sock = tmp_path / "agent"
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)

    async def main() -> None:
        async with sshd_with(lab, tmp_path, keys=[key]) as (_, second, _):
            locked = dataclasses.replace(second, keys=(str(key),), identities_only=True)
            with pytest.raises(HostError, match=r"has a passphrase: add it to the agent") as told:
                async with ssh([locked]):
                    pass
            monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
            with subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=-3) as agent:
                try:
                    settings = {"SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
                    async with asyncio.timeout(10):
                        while not sock.exists():
                            await asyncio.sleep(0.01)
                    env = {**os.environ, **settings}
                    subprocess.run(["ssh-add", "-q", key], env=env, check=True, stdin=-3)
                    async with ssh([locked]) as [host]:
                        assert (await host.run(["hostname"])).text == "n1"
                finally:
                    agent.kill()
            assert "sesame" not in str(told.value)

    asyncio.run(main())
    assert "sesame" not in caplog.text


def test_a_jump_host_carries_ssh_and_dialling(lab: Path) -> None:
    [first, second] = read_lab(lab)
    behind = dataclasses.replace(second, via=None, jump=first)

    async def main() -> None:
        async with ssh([behind]) as [host]:
            assert (await host.run(["hostname"])).text == "n2"
            loop = asyncio.get_running_loop()
            for _ in range(3):
                with await host.dial(22) as sock:
                    assert await loop.sock_recv(sock, 7) == b"SSH-2.0"
            with pytest.raises(ConnectionRefusedError):
                await host.dial(1)
        stranger = dataclasses.replace(first, known_hosts=())
        with pytest.raises(HostError, match=r"^n1: the host key of .* is not in"):
            async with ssh([dataclasses.replace(behind, jump=stranger)]):
                pass

    asyncio.run(main())


def test_commands_and_files_share_one_connection(lab: Path, tmp_path: Path) -> None:
    data = os.urandom(200_000)
    (tmp_path / "file").write_bytes(data)

    async def main() -> None:
        async with sshd_with(lab, tmp_path) as (_, second, _), ssh([second]) as [host]:

            async def there_and_back(number: int) -> None:
                told: list[int] = []
                there = f"{host.directory}/{number}"
                back = tmp_path / f"back{number}"
                await host.upload(str(tmp_path / "file"), there)
                await host.download(there, str(back), progress=lambda done, _: told.append(done))
                assert back.read_bytes() == data
                assert told == sorted(told)
                assert told[-1] == len(data)

            echoes = [host.run(["echo", str(number)]) for number in range(30)]
            files = [there_and_back(number) for number in range(5)]
            done = await asyncio.gather(*echoes, *files)
            assert [each.text for each in done[:30] if each] == [str(n) for n in range(30)]
            names = (await host.run(["ls", host.directory])).text
            assert ".new" not in names

    asyncio.run(main())
    assert (tmp_path / "log").read_text().count("Accepted publickey") == 1


def test_where_sshd_allows_few_sessions_commands_wait_for_one(lab: Path, tmp_path: Path) -> None:
    async def main() -> None:
        few = "MaxSessions 2\n"
        async with sshd_with(lab, tmp_path, few) as (_, second, _), ssh([second]) as [host]:
            done = await asyncio.gather(*(host.run(["echo", str(n)]) for n in range(20)))
            assert [each.text for each in done] == [str(n) for n in range(20)]

    asyncio.run(main())


def test_a_host_that_dies_amid_a_command_is_an_error_at_once_and_is_found_again(
    lab: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cluster.ssh")

    async def main() -> None:
        async with sshd_with(lab, tmp_path) as (below, second, command), ssh([second]) as [host]:
            nap = ["sh", "-c", 'echo > "$1"; exec sleep 10000', "sh"]
            files = [tmp_path / f"nap{number}" for number in range(3)]
            naps = [
                asyncio.create_task(host.run([*nap, str(file)], timeout_s=5000)) for file in files
            ]
            async with asyncio.timeout(20):
                while not all(file.exists() for file in files):
                    await asyncio.sleep(0.02)
            await kill_sshd(below)
            async with asyncio.timeout(60):  # and not the 5000 s of the commands
                for each in naps:
                    with pytest.raises(HostError, match=r"^n1: the connection broke during `sh`"):
                        await each
            with pytest.raises(HostError, match=r"^n1: cannot reach|did not end"):
                await host.run(["true"], timeout_s=0.5)
            again = asyncio.create_task(host.run(["echo", "again"], timeout_s=30))
            async with asyncio.timeout(30):
                while "try 2 to log in again failed" not in caplog.text:
                    await asyncio.sleep(0.02)
            await below.start("second", command)
            assert (await again).text == "again"

    asyncio.run(main())
    assert "n1: the connection was lost" in caplog.text
    assert "n1: logged in again" in caplog.text


def test_a_host_that_stays_away_is_tried_once_by_each_command_and_found_when_it_is_back(
    lab: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "cluster.ssh")

    async def main() -> None:
        async with sshd_with(lab, tmp_path) as (below, second, command), ssh([second]) as [host]:
            monkeypatch.setattr(_link, "RECONNECT_MAX_S", 0.5)
            await kill_sshd(below)

            async def tries() -> int:
                before = caplog.text.count("to log in again failed")
                with pytest.raises(HostError, match=r"^n1: "):
                    await host.run(["true"])
                return caplog.text.count("to log in again failed") - before

            async with asyncio.timeout(20):
                while (since := host._link._away_since) is None or time.monotonic() - since < 0.6:
                    await tries()
            assert [await tries() for _ in range(5)] == [0] * 5, "one try each, no second"
            await below.start("second", command)
            async with asyncio.timeout(20):
                while True:
                    with contextlib.suppress(HostError):
                        await host.run(["true"])
                        break

    asyncio.run(main())


def test_a_file_that_arrives_damaged_never_gets_its_name(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    whole.write_bytes(b"whole")
    monkeypatch.setattr("cluster._ssh.put", lambda *_: (5, "another digest"))
    monkeypatch.setattr("cluster._ssh.get", lambda *_: (5, "another digest"))

    async def main() -> None:
        async with ssh(read_lab(lab)[:1]) as [host]:
            await host.write(f"{host.directory}/there", b"as it was")
            with pytest.raises(HostError, match="arrived damaged"):
                await host.upload(str(whole), f"{host.directory}/there")
            with pytest.raises(HostError, match="arrived damaged"):
                await host.download(f"{host.directory}/there", str(whole))
            assert await host.read(f"{host.directory}/there") == b"as it was"
            assert ".new" not in (await host.run(["ls", host.directory])).text

    asyncio.run(main())
    assert whole.read_bytes() == b"whole"
    assert not list(tmp_path.glob("*.new"))


def test_a_log_that_grows_while_it_is_fetched_is_not_damaged(lab: Path, tmp_path: Path) -> None:
    async def main() -> None:
        async with ssh(read_lab(lab)[:1]) as [host]:
            await host.start("talk", ["sh", "-c", "while :; do echo line; done"])
            log = f"{host.directory}/talk.log"
            async with asyncio.timeout(20):
                while (await host.run(["test", "-s", log], check=False)).code != 0:
                    await asyncio.sleep(0.02)
            for number in range(3):
                await host.download(log, str(tmp_path / str(number)))
            await host.signal("talk", "KILL")

    asyncio.run(main())
    assert (tmp_path / "2").read_bytes().startswith(b"line\n")


SUDO = """#!/bin/sh
echo "$*" >> %s
[ "$1 $2" = "-n --" ] || { echo "sudo: a password is required" >&2; exit 1; }
shift 2
exec env AS_ROOT=yes "$@"
"""


def test_sudo_never_asks_and_kills_what_it_started(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The logins of such a lab have all capabilities, and there is no sudo: one plays both parts.
    monkeypatch.setattr("cluster._ssh.WHO", "echo 1000; echo 0000000000000000")
    said, programs = tmp_path / "said", tmp_path / "bin"
    programs.mkdir()
    (programs / "sudo").write_text(SUDO % said)
    (programs / "sudo").chmod(0o755)

    async def main() -> None:
        path = f"SetEnv PATH={programs}:/usr/bin:/bin\n"
        async with sshd_with(lab, tmp_path, path) as (_, second, _):
            plain = dataclasses.replace(second, sudo=True)
            async with ssh([plain]) as [host]:
                assert {"network", "root"} <= host.capabilities
                ask = ["sh", "-c", "echo $AS_ROOT"]
                assert (await host.run(ask, sudo=True)).text == "yes"
                assert (await host.run(ask)).text == ""
                with pytest.raises(HostError, match="did not end within"):
                    await host.run(["sleep", "1000"], sudo=True, timeout_s=0.5)

    asyncio.run(main())
    asked = said.read_text().splitlines()
    assert all(line.startswith("-n -- ") for line in asked)
    assert "momus-kill" in asked[-1]


def test_no_secret_reaches_a_journal_a_log_or_an_error(
    lab: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)  # paramiko's own words, too
    private = "".join((lab.parent / "id").read_text().splitlines()[1:-1])

    async def main() -> str:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with ssh(read_lab(lab)[:1], journal=journal) as [host]:
                await host.start("nap", ["sleep", "1000"], env={"DB_PASSWORD": "hunter2"})
                with pytest.raises(HostError) as told:
                    await host.run(["false", "--password", "hunter2"])
                return str(told.value)

    told = asyncio.run(main())
    journal = (tmp_path / "faults.jsonl").read_text()
    for text in (told, journal, caplog.text):
        assert "hunter2" not in text
        assert not any(private[at : at + 20] in text for at in range(0, len(private) - 20, 20))
    assert "--password ***" in told


def test_all_of_it_is_refused_where_it_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster._sshlab.shutil.which", lambda *_, **__: None)

    async def main() -> None:
        from cluster._sshlab import ssh_lab

        async with ssh_lab(1):
            pass

    with pytest.raises(Unsupported, match=r"there is no sshd; install it: apt-get install"):
        asyncio.run(main())
