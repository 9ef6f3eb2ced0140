"""Builds etcd with Go's own client, once, for tests: ``python scripts/build_etcd.py [VERSION]``.

Prints the path of the program, ``~/.cache/momus/etcd-VERSION``; if it is there already nothing
is built.  The source comes through Go's module proxy, checked against Go's checksum
database.  `go install` refuses modules that replace others, as etcd's does, so an empty module
is made that requires it.  A build takes one to five minutes and 1 GB of Go's caches.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MODULE = "go.etcd.io/etcd/server/v3"
VERSION = "v3.6.16"
BUILD_TIMEOUT_S = 1200


class CannotBuild(Exception):
    """There is no such program, and none can be made; the message says why."""


def etcd_of(version: str = VERSION) -> Path:
    """The etcd program of this version, built if need be; raises `CannotBuild`."""
    if not re.fullmatch(r"v\d+\.\d+\.\d+(-[a-z]+\.\d+)?", version):
        raise CannotBuild(f"{version!r} is no version of etcd; try {VERSION}")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "momus")
    program = home / f"etcd-{version}"
    if program.exists():
        return program
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise CannotBuild("there is no Go to build etcd with; install it from https://go.dev/dl")
    home.mkdir(parents=True, exist_ok=True)
    with (home / "etcd.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever comes second finds it built
        if not program.exists():
            _build(go, version, program)
    return program


def _build(go: str, version: str, program: Path) -> None:
    with tempfile.TemporaryDirectory(dir=program.parent, prefix="etcd-build-") as directory:
        Path(directory, "go.mod").write_text("module etcd-for-momus\n")
        environment = {**os.environ, "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0", "GOWORK": "off"}
        for arguments in (
            ["get", f"{MODULE}@{version}"],
            ["build", "-trimpath", "-o", "etcd", MODULE],
        ):
            try:
                done = subprocess.run(
                    [go, *arguments],
                    cwd=directory,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=BUILD_TIMEOUT_S,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise CannotBuild(
                    f"etcd {version} was not built within {BUILD_TIMEOUT_S} s"
                ) from None
            if done.returncode != 0:
                raise CannotBuild(f"etcd {version} cannot be built: {done.stderr.strip()[-300:]}")
        Path(directory, "etcd").replace(program)


if __name__ == "__main__":
    try:
        print(etcd_of(*sys.argv[1:2]))
    except CannotBuild as error:
        sys.exit(str(error))
