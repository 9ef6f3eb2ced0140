"""Builds etcd with Go's own client, once, for tests: ``python scripts/build_etcd.py [VERSION]``.

Prints the path of the program, ``~/.cache/momus/etcd-VERSION``; if it is there already nothing
is built.  A build takes one to five minutes and 1 GB of Go's caches.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.go_programs import CannotBuild, program_of

PACKAGE = "go.etcd.io/etcd/server/v3"
VERSION = "v3.6.16"


def etcd_of(version: str = VERSION) -> Path:
    """The etcd program of this version, built if need be; raises `CannotBuild`."""
    return program_of("etcd", PACKAGE, version)


if __name__ == "__main__":
    try:
        print(etcd_of(*sys.argv[1:2]))
    except CannotBuild as error:
        sys.exit(str(error))
