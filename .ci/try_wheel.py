"""Tries an installed momus outside its checkout: the rooms, the engine, the command.

Run by the Python of an environment that holds the wheel and what it requires, nothing else:
    python try_wheel.py PATH/TO/momus CHECKOUT
"""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

ROOMS = (
    "checker",
    "cluster",
    "engine",
    "generators",
    "histories",
    "momus",
    "nemesis",
    "reports",
    "simulation",
)
STALE = """\
{"process":0,"type":"invoke","f":"write","value":1}
{"process":0,"type":"ok","f":"write","value":1}
{"process":1,"type":"invoke","f":"read","value":null}
{"process":1,"type":"ok","f":"read","value":%d}
"""


def check_rooms(checkout: Path) -> None:
    """Every room comes from the wheel, with its types, and the engine is compiled."""
    for room in (*ROOMS, "engine._native"):
        module = import_module(room)
        assert module.__file__ is not None
        source = Path(module.__file__).resolve()
        assert not source.is_relative_to(checkout), f"{room} comes from the checkout: {source}"
        assert (source.parent / "py.typed").is_file(), f"{room} lost its types"


def check_command(momus: str) -> None:
    """`momus check` accepts a fresh read and refuses a stale one, by exit code and in JSON."""
    for value_read, exit_code, valid in ((1, 0, True), (0, 1, False)):
        history = Path(f"read-{value_read}.jsonl")
        history.write_text(STALE % value_read)
        argv = [momus, "check", str(history), "--model", "register", "--initial", "0", "--json"]
        answer = subprocess.run(argv, capture_output=True, text=True, timeout=120)
        assert answer.returncode == exit_code, f"{argv}: {answer}"
        assert json.loads(answer.stdout)["valid"] is valid, answer.stdout


if __name__ == "__main__":
    check_rooms(Path(sys.argv[2]).resolve())
    check_command(sys.argv[1])
    print("the wheel works by itself")
