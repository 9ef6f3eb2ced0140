"""Programs that only look at a host end with whoever asked for it."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster import Host, HostError, Unsupported, free_port, ssh
from cluster._sshlab import ssh_lab
from nemesis import _asker_program, _postcard_program, _probe_program
from nemesis._programs import looker, probe_command

WAIT_S = 20.0
LONG_S = 600.0
"""How long the programs would go on looking."""
PEER = "192.0.2.1"

# Told by whoever looks: how many processes have this word in their arguments?
COUNT = """
count=0
for each in /proc/[0-9]*; do
    tr '\\0' ' ' 2>/dev/null < "$each/cmdline" | grep -q "$1" && count=$((count + 1))
done
echo $count
"""
# Behind the lane, which is our parent, is the sshd of this connection.
KILL_CONNECTION = 'read -r line < "/proc/$PPID/stat"; set -- ${line##*) }; kill -s KILL "$2"'


def long_look(token: str) -> dict[str, Any]:
    """A request for a probe that hears nobody."""
    return {
        "name": "n1",
        "token": token,
        "port": free_port(),
        "seconds": LONG_S,
        "peers": {"n2": PEER},
    }


def long_postcards(token: str) -> dict[str, Any]:
    """A request for a measurement that hears nobody."""
    return {
        **{"name": "n1", "token": token, "port": free_port(), "peers": {"n2": PEER}},
        **{"count": 1, "size": 200, "per_s": 1, "hello_s": LONG_S, "linger_s": 0},
        **{"patience_s": 0, "raw": False, "dial": False},
    }


def by_pipe() -> tuple[int, int]:
    return os.pipe()


def by_socket() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


@pytest.mark.parametrize("ends", [by_pipe, by_socket])
@pytest.mark.parametrize(
    ("program", "request_of"),
    [(_probe_program, long_look), (_postcard_program, long_postcards)],
    ids=["probe", "postcards"],
)
def test_a_program_ends_when_the_other_end_of_its_output_is_closed(
    program: Any, request_of: Callable[[str], dict[str, Any]], ends: Callable[[], tuple[int, int]]
) -> None:
    asked = request_of(secrets.token_hex(16))
    ours, theirs = ends()
    try:
        command = [sys.executable, "-I", "-S", "-", json.dumps(asked)]
        at_work = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=theirs)
    finally:
        os.close(theirs)
    try:
        assert at_work.stdin is not None
        at_work.stdin.write(looker(program))
        at_work.stdin.close()  # which says nothing: the text is over, not the asker
        with pytest.raises(subprocess.TimeoutExpired):
            at_work.wait(0.5)
        os.close(ours)
        assert at_work.wait(WAIT_S) == _asker_program.ASKER_GONE
    finally:
        at_work.kill()
        at_work.wait()


def test_a_program_whose_output_is_a_file_or_closed_is_let_alone(tmp_path: Path) -> None:
    program = looker(_asker_program) + b"import time\ntime.sleep(0.3)\nopen(sys.argv[1], 'w')\n"
    program = b"import sys\n" + program
    for redirection in (">output", ">&-", ">/dev/null"):
        done = tmp_path / f"done{redirection[1:].replace('/', '-')}"
        script = f'cd "$1"; shift; exec "$@" {redirection}'
        command = [sys.executable, "-I", "-S", "-", str(done)]
        subprocess.run(
            ["sh", "-c", script, "sh", str(tmp_path), *command],
            input=program,
            timeout=WAIT_S,
            check=True,
        )
        assert done.exists(), redirection


def test_programs_on_ssh_hosts_end_with_the_connection(tmp_path: Path) -> None:
    token = secrets.token_hex(16)

    async def count(below: Host) -> int:
        return int(
            (await below.run(["sh", "-c", COUNT, "count", token[:31] + f"[{token[31]}]"])).text
        )

    async def await_count(below: Host, wanted: Callable[[int], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not wanted(await count(below)):
                await asyncio.sleep(0.05)

    async def main() -> None:
        async with ssh_lab(1, directory=tmp_path) as lab, ssh(lab.lab_toml) as [host]:
            asked = probe_command(host, long_postcards(token))
            looking = asyncio.create_task(
                host.run(asked, input=looker(_postcard_program), timeout_s=LONG_S)
            )
            await await_count(lab.hosts[0], lambda seen: seen > 0)
            with pytest.raises(HostError):
                await host.run(["sh", "-c", KILL_CONNECTION], timeout_s=WAIT_S)
            with pytest.raises(HostError):
                await looking
            await await_count(lab.hosts[0], lambda seen: seen == 0)

    try:
        asyncio.run(main())
    except Unsupported as error:
        pytest.skip(str(error))
