"""Python programs that are run on hosts.

A program is a module of ours that imports nothing but the standard library and avoids what
Python 3.6 does not know; its text is sent along, since hosts have no momus.  It gets one
JSON object as its argument and answers with one on its standard output.  One that only looks
ends when nobody is left to hear its answer (`looker`); one that changes something goes on to
its end, as what is done by halves is harder to undo.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from cluster import Host, HostError
from histories import Json
from nemesis import _asker_program
from nemesis._strikes import BAR_STRIKE, BEGIN_STRIKE

# $1 the request, then the Pythons to try; the program comes over standard input.
_RUN: Final = """
request=$1; shift
for python; do
  if command -v "$python" >/dev/null 2>&1; then exec "$python" -I -S - "$request"; fi
done
echo "no python3 here" >&2; exit 127
"""

# $1 the program, $2 the request, then the Pythons to try.
_RUN_TEXT: Final = """
text=$1 request=$2; shift 2
for python; do
  if command -v "$python" >/dev/null 2>&1; then
    exec "$python" -I -S -c "$text" "$request"
  fi
done
echo "no python3 here" >&2; exit 127
"""
_PYTHONS: Final = ("/usr/bin/python3", "python3", "/usr/libexec/platform-python")


def text_of(program: ModuleType) -> str:
    """The program's own text."""
    assert program.__file__ is not None
    return Path(program.__file__).read_text()


def looker(program: ModuleType) -> bytes:
    """The text of a program that only looks, and ends when its asker is gone."""
    return f"{text_of(_asker_program)}\n\n{text_of(program)}".encode()


def pythons(host: Host) -> tuple[str, ...]:
    """The Pythons to try there; on this machine our own is the one that is certainly there."""
    return (*((sys.executable,) if host.kind in ("netns", "local") else ()), *_PYTHONS)


def probe_command(host: Host, request: Mapping[str, Json]) -> list[str]:
    """Runs the program that comes over its standard input."""
    return ["sh", "-c", _RUN, "momus-probe", json.dumps(request), *pythons(host)]


def strike_command(
    host: Host, program: ModuleType, place: tuple[str, str], request: Mapping[str, Json]
) -> list[str]:
    """Runs the program, unless the strike (directory, name) has been undone."""
    script = BEGIN_STRIKE + _RUN_TEXT
    arguments = [*place, text_of(program), json.dumps(request), *pythons(host)]
    return ["sh", "-c", script, "momus-strike", *arguments]


def undo_command(
    host: Host, program: ModuleType, place: tuple[str, str], request: Mapping[str, Json]
) -> list[str]:
    """Bars the strike, then runs the program; works from the journal alone."""
    script = BAR_STRIKE + _RUN_TEXT
    arguments = [*place, text_of(program), json.dumps(request), *pythons(host)]
    return ["sh", "-c", script, "momus-undo", *arguments]


def daemon_command(host: Host, program: ModuleType, request: Mapping[str, Json]) -> list[str]:
    """Becomes the program, for `Host.start`."""
    arguments = [text_of(program), json.dumps(request), *pythons(host)]
    return ["sh", "-c", _RUN_TEXT, "momus-program", *arguments]


async def ask(
    host: Host,
    program: ModuleType,
    request: Mapping[str, Json],
    *,
    sudo: bool = False,
    timeout_s: float = 20.0,
    only_looks: bool = False,
) -> dict[str, Any]:
    """What the program answers; raises `HostError` if it fails."""
    text = looker(program) if only_looks else text_of(program).encode()
    done = await host.run(
        probe_command(host, request),
        input=text,
        sudo=sudo,
        timeout_s=timeout_s,
        check=False,
    )
    if done.code != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise HostError(
            host.name,
            f"the program {program.__name__} exited with {done.code}: "
            f"{said[-1] if said else 'no output'}",
            "momus needs python3 there, 3.6 or newer",
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
