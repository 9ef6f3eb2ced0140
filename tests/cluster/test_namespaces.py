"""Labs of network namespaces: private, parallel, and gone with their driver."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cluster import Unsupported, namespaces

DRIVER = """
import asyncio, sys
from cluster import namespaces

async def main():
    async with namespaces(2, directory=sys.argv[1]) as hosts:
        for host in hosts:
            await host.start("nap", ["sleep", sys.argv[2]])
        print("up", *(host.holder for host in hosts), flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def commands() -> list[str]:
    """The command lines of all processes that this one may see."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except (OSError, UnicodeDecodeError):
                continue
    return found


def test_hosts_have_names_and_reach_each_other(labs: Any) -> None:
    async def main() -> None:
        async with labs("netns", 3) as hosts:
            names = [(await host.run(["hostname"])).text for host in hosts]
            assert names == ["n1", "n2", "n3"]
            serve = [sys.executable, "-m", "http.server", "80"]
            await hosts[0].start("web", serve)
            fetch = (
                "import sys, time, urllib.request as u\n"
                "for _ in range(200):\n"
                "    try: sys.exit(u.urlopen(sys.argv[1]).status != 200)\n"
                "    except OSError: time.sleep(0.05)\n"
            )
            url = f"http://{hosts[0].address}/"
            await hosts[2].run([sys.executable, "-c", fetch, url])

    asyncio.run(main())


def test_rules_in_one_host_are_seen_nowhere_else(labs: Any) -> None:
    async def main() -> None:
        async with labs("netns", 2) as [one, two]:
            await one.run(["iptables", "-N", "HERE"])
            assert "HERE" in (await one.run(["iptables", "-S"])).text
            assert "HERE" not in (await two.run(["iptables", "-S"])).text
            if os.geteuid() == 0:
                outside = subprocess.run(["iptables", "-S"], capture_output=True, text=True)
                assert "HERE" not in outside.stdout

    asyncio.run(main())


def test_labs_stand_side_by_side(labs: Any) -> None:
    async def main() -> None:
        async with labs("netns", 1) as [one], labs("netns", 1) as [other]:
            assert one.address == other.address  # each in a network of its own
            await one.start("web", [sys.executable, "-m", "http.server", "80"])
            with pytest.raises(ConnectionRefusedError):
                await other.dial(80)

    asyncio.run(main())


def test_nothing_outlives_a_driver_that_is_killed(labs: Any, tmp_path: Path) -> None:
    async def supported() -> None:
        async with labs("netns", 1):
            pass

    asyncio.run(supported())
    mark = str(700_000 + os.getpid())  # a duration that no other test sleeps
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path), mark], stdout=subprocess.PIPE, text=True
    )
    try:
        assert driver.stdout is not None
        up, *holders = driver.stdout.readline().split()
        assert up == "up"
        assert sum(f"sleep {mark}" in command for command in commands()) == 2
    finally:
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    deadline = time.monotonic() + 10
    while any(f"sleep {mark}" in command or str(tmp_path) in command for command in commands()):
        assert time.monotonic() < deadline, "the lab outlived its driver"
        time.sleep(0.02)
    assert not any(Path(f"/proc/{pid}").exists() for pid in holders)


def test_a_lab_that_was_left_is_gone(labs: Any) -> None:
    async def main() -> list[Any]:
        async with labs("netns", 2) as hosts:
            await hosts[0].start("nap", ["sleep", "1000"])
            return list(hosts)

    hosts = asyncio.run(main())
    assert all(host.is_gone() for host in hosts)


def test_without_the_programs_it_says_which_are_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("cluster._namespaces.environment", lambda: {"PATH": str(tmp_path)})
    monkeypatch.setattr("cluster._local.environment", lambda: dict(os.environ))

    async def main() -> None:
        async with namespaces(1, directory=tmp_path):
            pass

    with pytest.raises(Unsupported, match="`unshare`, and it is not installed; install util-linux"):
        asyncio.run(main())


def test_where_the_kernel_forbids_it_it_says_what_to_allow(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusing = tmp_path / "bin"
    refusing.mkdir()
    (refusing / "unshare").write_text("#!/bin/sh\necho 'unshare: Operation not permitted' >&2\n")
    (refusing / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{refusing}:{os.environ['PATH']}")

    async def main() -> None:
        async with namespaces(1, directory=tmp_path):
            pass

    with pytest.raises(Unsupported, match="not permitted; allow user namespaces"):
        asyncio.run(main())
    assert [each.name for each in tmp_path.iterdir()] == ["bin"]


def test_a_lab_needs_at_least_one_host() -> None:
    async def main() -> None:
        async with namespaces(0):
            pass

    with pytest.raises(ValueError, match="0 hosts"):
        asyncio.run(main())
