"""The file system as a program: ``python momus-disk.pyz --at DIRECTORY --source NAME``.

In `DIRECTORY` there are, or are made: ``mount``, where it is mounted; ``backing``, where the
files really are; ``graves``, what was removed not for good yet; ``control``, the socket.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
from typing import Final, NoReturn

from cluster.disk._control import Control
from cluster.disk._damage import Damage
from cluster.disk._data import Data
from cluster.disk._mount import mount, unmount
from cluster.disk._names import MODELS, Names
from cluster.disk._nodes import Nodes
from cluster.disk._operations import Operations
from cluster.disk._rules import DATA, PROBE, Rules
from cluster.disk._server import Server

_READY_S: Final = 20.0


def serve(at: str, source: str, names: str) -> int:
    """Mount and serve until SIGTERM, SIGINT or an unmount; raises `OSError`."""
    point, backing, graves = (os.path.join(at, each) for each in ("mount", "backing", "graves"))
    for each in (point, backing, graves, f"{backing}/{DATA}", f"{backing}/{PROBE}"):
        os.makedirs(each, mode=0o700, exist_ok=True)
    os.chmod(backing, 0o755)  # who may enter is for the directory around it to say
    os.umask(0)  # the kernel has applied the callers'
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    nodes = Nodes(backing)
    logs = Names(graves, names, nodes), Names(graves, names, nodes)
    operations = Operations(nodes, Rules(nodes), Damage(nodes), Data(nodes), *logs)
    operations.keep_apart(nodes.find(nodes.root.fd, PROBE))
    quitting = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, quitting)
    device = mount(point, source)
    server = Server(device, operations, lambda: os.kill(os.getpid(), signal.SIGTERM))
    server.start()
    if not server.ready.wait(_READY_S):
        unmount(point)
        raise OSError("the kernel did not begin to speak")
    Control(operations, server.forget_caches).serve(os.path.join(at, "control"))
    print(f"mounted at {point}, names are {names}", flush=True)
    signal.sigwait(quitting)
    unmount(point)
    return 0


def main() -> NoReturn:
    """The command line; ends the process: 0 after an unmount or SIGTERM, 1 if it cannot begin."""
    parser = argparse.ArgumentParser(description="A file system whose disk breaks on order.")
    parser.add_argument("--at", required=True, help="the directory of all it needs")
    parser.add_argument("--source", required=True, help="its name in /proc/mounts")
    parser.add_argument("--names", choices=MODELS, default=MODELS[0], help="when names are durable")
    given = parser.parse_args()
    try:
        code = serve(os.path.abspath(given.at), given.source, given.names)
    except OSError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        code = 1
    sys.stdout.flush()
    os._exit(code)  # threads may still wait in the kernel


if __name__ == "__main__":
    main()
