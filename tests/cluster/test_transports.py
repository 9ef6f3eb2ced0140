"""Other ways to hosts than SSH: a command, and whatever a package plugs in."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cluster import (
    CommandHost,
    Etcd,
    ForeignSettings,
    Journal,
    LabFileError,
    PosixHost,
    SshSettings,
    Unsupported,
    heal,
    lab,
    namespaces,
    read_hosts,
    refuse_impossible,
)
from histories import Op

# The example of docs/cluster.md: a transport is any callable that makes a host.
PLUGIN = '''
from cluster import CommandHost

def pod(name, options, directory, journal):
    """A pod of Kubernetes, by `kubectl exec`."""
    namespace = options.get("namespace", "default")
    command = ["kubectl", "exec", "-i", "-n", namespace, name, "--"]
    return CommandHost(name, {"command": command, "address": options["ip"]}, directory, journal)
'''

# On this machine a program of that name enters a namespace instead.
KUBECTL = """#!/bin/sh
[ "$1 $2 $3 $4 $5 $6" = "exec -i -n default pod-1 --" ] || { echo "wrong: $*" >&2; exit 9; }
shift 6
exec %s "$@"
"""


# Carries a connection into a lab: what `kubectl exec -i POD -- nc 127.0.0.1 PORT` does.
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


@pytest.fixture
def plugged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plug-in above as a package that was installed."""
    site = tmp_path / "site"
    info = site / "momus_pod-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "momus_pod.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: momus-pod\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[momus.transports]\npod = momus_pod:pod\nbroken = momus_pod:nothing\n"
    )
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "momus_pod", raising=False)
    return site


def hosts_of(tmp_path: Path, text: str) -> list[Any]:
    path = tmp_path / "lab.toml"
    path.write_text(text)
    hosts = read_hosts(path)
    refuse_impossible(hosts)
    return hosts


def test_a_plugged_in_transport_runs_daemons_and_is_healed(
    tmp_path: Path, plugged_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del plugged_in
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    [settings] = hosts_of(
        tmp_path,
        f'transport = "pod"\ndirectory = "{tmp_path}"\n'
        '[[hosts]]\nname = "pod-1"\nip = "10.66.0.1"\n',
    )
    journal_file = tmp_path / "faults.jsonl"

    async def main() -> None:
        async with namespaces(1, directory=tmp_path) as [below]:
            (programs / "kubectl").write_text(KUBECTL % " ".join(below.enter))
            (programs / "kubectl").chmod(0o755)
            # The run is killed, so to speak: its journal stays open, its daemon alive.
            with Journal(journal_file) as journal:
                opened = lab([settings], journal=journal)
                [host] = await opened.__aenter__()
                assert (await host.run(["hostname"])).text == "n1"
                await host.start("nap", ["sleep", "1000"])
            healed = await heal(journal_file, even_running=True)
            assert [each.outcome for each in healed] == ["undone", "undone"]
            assert not await host.alive("nap")
            assert not Path(host.directory).exists()

    try:
        asyncio.run(main())
    except Unsupported as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'transport = "telepathy"\n[[hosts]]\nname = "a"',
            "no transport 'telepathy'.*command.*ssh",
        ),
        ('transport = "broken"\n[[hosts]]\nname = "a"', "momus_pod:nothing cannot be loaded"),
        ('transport = "command"\n[[hosts]]\nname = "a"', "no command; write command ="),
        (
            'transport = "command"\ncommand = ["x"]\n[[hosts]]\nname = "a"',
            "address is the IP address",
        ),
        (
            'transport = "command"\ncommand = ["x"]\ntypo = 1\n'
            '[[hosts]]\nname = "a"\naddress = "10.0.0.1"',
            "'typo' is not known here",
        ),
        (
            'transport = "command"\ncommand = "sh -c"\n[[hosts]]\naddress = "10.0.0.1"',
            "command is a list of strings",
        ),
    ],
)
def test_what_no_transport_can_use_is_refused_before_anything_is_touched(
    tmp_path: Path, plugged_in: Path, text: str, said: str
) -> None:
    del plugged_in
    with pytest.raises(LabFileError, match=said):
        hosts_of(tmp_path, text)


def test_a_lab_may_mix_transports(tmp_path: Path) -> None:
    text = """
        ssh_config = "none"
        user = "root"
        [[hosts]]
        address = "10.0.0.1"
        [[hosts]]
        transport = "command"
        command = ["docker", "exec", "-i", "%n"]
        address = "10.0.0.2"
    """
    one, two = hosts_of(tmp_path, text)
    assert isinstance(one, SshSettings)
    assert isinstance(two, ForeignSettings)
    assert two.options["command"] == ["docker", "exec", "-i", "%n"]


def test_names_and_addresses_are_put_into_a_command_word_by_word(tmp_path: Path) -> None:
    options: Mapping[str, Any] = {
        "command": ["docker", "exec", "-i", "lab-%n-1", "--at=%a", "100%%"],
        "address": "10.0.0.2",
    }
    host = CommandHost("db", options, str(tmp_path))
    assert host._before == ["docker", "exec", "-i", "lab-db-1", "--at=10.0.0.2", "100%"]


def test_dialling_by_a_command_is_talking_to_it(tmp_path: Path) -> None:
    options = {"command": ["env"], "address": "127.0.0.1", "dial_command": ["echo", "port", "%p"]}
    host: PosixHost = CommandHost("db", options, str(tmp_path))

    async def main() -> bytes:
        with await host.dial(2379) as sock:
            return await asyncio.get_running_loop().sock_recv(sock, 100)

    assert asyncio.run(main()) == b"port 2379\n"


@pytest.mark.slow  # every connection of every probe is a process of its own
def test_a_system_under_test_runs_behind_commands(tmp_path: Path) -> None:
    here = str(Path(__file__).parents[2])

    async def main() -> None:
        async with namespaces(1, directory=tmp_path) as [below]:
            keeper = below.spec()["keeper_socket"]
            dial = [sys.executable, "-c", RELAY, here, keeper, "%a", "%p"]
            options = {"command": below.enter, "address": below.address, "dial_command": dial}
            settings = ForeignSettings("n1", "command", options, directory=below.directory)
            async with lab([settings]) as [host]:
                etcd = Etcd(fsync=False)
                await etcd.setup([host])
                client = await etcd.client().open("n1")
                assert (await client.invoke(Op("write", 1, "x"))).type == "ok"
                assert (await client.invoke(Op("read", None, "x"))).value == 1
                await client.close()
                await etcd.teardown()

    try:
        asyncio.run(main())
    except Unsupported as error:
        pytest.skip(str(error))
