"""Builds programs with Go's own client, once, for tests.

The source comes through Go's module proxy, checked against Go's checksum database.  `go
install` refuses modules that replace others, as etcd's does, so an empty module is made that
requires the one wanted.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

BUILD_TIMEOUT_S = 1200


class CannotBuild(Exception):
    """There is no such program, and none can be made; the message says why."""


def program_of(name: str, package: str, version: str) -> Path:
    """A main package's program, ``~/.cache/momus/NAME-VERSION``, built if it is not there.

    Raises `CannotBuild`.
    """
    if not re.fullmatch(r"v\d+\.\d+\.\d+(-[a-z]+\.\d+)?", version):
        raise CannotBuild(f"{version!r} is no version of {name}; try v1.2.3")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "momus")
    program = home / f"{name}-{version}"
    if program.exists():
        return program
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise CannotBuild(f"there is no Go to build {name} with; install it from https://go.dev/dl")
    home.mkdir(parents=True, exist_ok=True)
    with (home / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever comes second finds it built
        if not program.exists():
            _build(go, f"{name} {version}", package, version, program)
    return program


def _build(go: str, what: str, package: str, version: str, program: Path) -> None:
    with tempfile.TemporaryDirectory(dir=program.parent, prefix="go-build-") as directory:
        Path(directory, "go.mod").write_text("module built-for-momus\n")
        environment = {**os.environ, "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0", "GOWORK": "off"}
        for arguments in (
            ["get", f"{package}@{version}"],
            ["build", "-trimpath", "-o", "built", package],
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
                raise CannotBuild(f"{what} was not built within {BUILD_TIMEOUT_S} s") from None
            if done.returncode != 0:
                raise CannotBuild(f"{what} cannot be built: {done.stderr.strip()[-300:]}")
        Path(directory, "built").replace(program)
