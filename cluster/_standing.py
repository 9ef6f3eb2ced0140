"""A lab of SSH hosts that stands until it is taken down, or its keeper's process is killed.

`lab_up` starts a process of its own, which raises the lab (`cluster._sshlab`) in a directory
and stays; ``lab.json`` there says which process that is.  `lab_down` asks it to end, waits
until it and the namespaces are gone, and removes the directory.  A directory is only ever
taken for a lab, and removed, if it bears our mark; so labs in other directories, and whatever
else is there, are left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cluster._host import HostError
from cluster._journal import is_running
from cluster._namespaces import lab_socket
from cluster._sshlab import LAB_TOML, MARK, STANDING

_UP_TIMEOUT_S: Final = 60.0
_DOWN_TIMEOUT_S: Final = 30.0
_KILL_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.02
_WHERE: Final = "this machine"


class NotALab(ValueError):
    """The directory cannot be used; the message says why, and what to do."""


@dataclass(frozen=True)
class StandingLab:
    """A lab that is up: its directory and lab file, its hosts, the process that holds it."""

    directory: Path
    lab_toml: Path
    hosts: tuple[str, ...]
    pid: int


def lab_up(directory: str | os.PathLike[str], nodes: int) -> StandingLab:
    """Raise a lab in `directory`, which is made.

    Raises `NotALab` if there is something already, `Unsupported` where this machine lacks
    what it takes, `HostError` if the lab does not come up.
    """
    top = Path(directory).absolute()
    if os.path.lexists(top):
        raise NotALab(_whats_there(top))
    top.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "cluster._sshlab", str(nodes), str(top)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        cwd="/",
        env=_environment(),
    )
    try:
        answer = _first_answer(process)
    except BaseException:
        process.kill()
        process.wait(_KILL_TIMEOUT_S)
        raise
    if "error" in answer:
        process.wait(_KILL_TIMEOUT_S)
        raise HostError(_WHERE, str(answer["error"]), str(answer["try_next"]))
    return StandingLab(top, top / LAB_TOML, tuple(answer["hosts"]), process.pid)


def lab_down(directory: str | os.PathLike[str]) -> bool:
    """Take the lab down; False if there is none.

    Raises `NotALab` if the directory is something else, `HostError` if something is left.
    """
    top = Path(directory).absolute()
    if not os.path.lexists(top):
        return False
    holder = _holder(top)
    if holder is None:
        raise NotALab(f"{top} is no lab of ours; it is left alone, name the right directory")
    _end(holder)
    _await_keeper_gone(top, holder)
    shutil.rmtree(top, ignore_errors=True)
    if top.exists():
        raise HostError(_WHERE, f"{top} could not be removed", "remove it by hand")
    return True


def _whats_there(top: Path) -> str:
    holder = _holder(top)
    if holder is None:
        return f"{top} is there already and is no lab; name another directory"
    state = "a lab is up" if is_running(holder) else "a lab was left behind"
    return f"{state} in {top}; try `momus lab down {top}`, or name another directory"


def _holder(top: Path) -> dict[str, Any] | None:
    """The process that holds the lab in this directory; None if that is no lab."""
    try:
        if (top / ".momus").read_text().strip() != MARK:
            return None
        with contextlib.suppress(FileNotFoundError):
            found: dict[str, Any] = json.loads((top / STANDING).read_text())
            return found
    except (OSError, ValueError):
        return None
    return {"pid": 0, "start": None, "boot": ""}  # killed before it had written who it is


def _first_answer(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The line that the new process writes when the lab is up, or cannot be."""
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        ready, _, _ = select.select([process.stdout], [], [], _UP_TIMEOUT_S)
        line = process.stdout.readline() if ready else b""
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        process.kill()
        said = process.stderr.read().decode("utf-8", "replace").strip().splitlines()
    why = said[-1] if said else f"it said nothing for {_UP_TIMEOUT_S:g} s"
    raise HostError(_WHERE, f"the lab did not come up: {why}", "see whether the machine is busy")


def _end(holder: dict[str, Any]) -> None:
    """Ask the holder to end, and kill it if it does not."""
    with contextlib.suppress(ProcessLookupError):
        if not is_running(holder):
            return
        process = os.pidfd_open(int(holder["pid"]))
        try:
            if not is_running(holder):  # else the descriptor is that of the process we mean
                return
            for number, timeout_s in (
                (signal.SIGTERM, _DOWN_TIMEOUT_S),
                (signal.SIGKILL, _KILL_TIMEOUT_S),
            ):
                signal.pidfd_send_signal(process, number)
                if select.select([process], [], [], timeout_s)[0]:
                    return
        finally:
            os.close(process)
        raise HostError(_WHERE, f"process {holder['pid']} survived KILL", "see what it waits for")


def _await_keeper_gone(top: Path, holder: dict[str, Any]) -> None:
    """Namespaces end a moment after the process that held them, and `unshare` after them."""
    deadline = time.monotonic() + _KILL_TIMEOUT_S
    while _keeper_answers(top) or is_running(holder.get("unshare", {})):
        if time.monotonic() > deadline:
            raise HostError(_WHERE, f"the namespaces of {top} do not end", "end their processes")
        time.sleep(_POLL_S)


def _keeper_answers(top: Path) -> bool:
    try:
        lab_socket(str(top / "keeper.sock")).close()
    except (FileNotFoundError, ConnectionError):
        return False
    except OSError:
        pass
    return True


def _environment() -> dict[str, str]:
    """Our own, in which this very package is found."""
    here = str(Path(__file__).resolve().parents[1])
    paths = [here, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
