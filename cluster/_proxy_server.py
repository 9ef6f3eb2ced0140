"""Starting a proxy server on a host: our own, carried there as one file, or Toxiproxy's.

Our own needs Python 3.11 there and nothing else: its modules go as a zip archive, which
Python runs as it is.
"""

from __future__ import annotations

import io
import posixpath
import sys
import zipfile
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

from cluster import proxy
from cluster._host import Host

_SHARED: Final = ("netns", "local")
"""Kinds of hosts that see the driver's files."""
_ARCHIVE: Final = "momus-proxy.pyz"
_MAIN: Final = "import sys\nfrom {}._program import main\nsys.exit(main())\n"

# $@: what follows the interpreter; the first Python that is new enough becomes it.
_RUN: Final = """
for python in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do
  if "$python" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    exec "$python" -I -S "$@"
  fi
done
echo "no Python 3.11 or newer here" >&2; exit 127
"""


async def server_command(host: Host, address: str, port: int, server: str | None) -> list[str]:
    """The command that serves the API at `address` and `port` of the host.

    `server` is a toxiproxy-server for this kind of host, brought there if need be; None:
    our own proxy.
    """
    where = ["--host", address, "--port", str(port)]
    if server is not None:
        program = server
        if host.kind not in _SHARED:
            program = posixpath.join(host.directory, "toxiproxy-server")
            await host.upload(server, program)
            await host.run(["chmod", "0755", program])
        return [program, *where]
    path = posixpath.join(host.directory, _ARCHIVE)
    await host.write(path, archive())
    return [*python_command(host), path, *where]


def python_command(host: Host) -> list[str]:
    """The beginning of a command that runs a Python program on the host."""
    if host.kind not in _SHARED:
        return ["sh", "-c", _RUN, "momus-python"]
    return [sys.executable, "-I", "-S"]  # the driver's own is the one that is certainly there


@cache
def archive(package: ModuleType = proxy) -> bytes:
    """A package of ours as a zip archive with a `__main__`; the same bytes for the same sources."""
    assert package.__file__ is not None
    sources = sorted(Path(package.__file__).parent.glob("*.py"))
    files = {
        "__main__.py": _MAIN.format(package.__name__).encode(),
        "cluster/__init__.py": b"",
    }
    where = package.__name__.replace(".", "/")
    files |= {f"{where}/{each.name}": each.read_bytes() for each in sources}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in files.items():
            bundle.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return target.getvalue()
