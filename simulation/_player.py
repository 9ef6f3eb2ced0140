"""The process that plays cases: one line of JSON in, one line of JSON out, until nobody asks.

It is started by `_players`, which gives it its own process number, and killed by it, too: a case
that never ends cannot be ended in any other way.  What a system prints goes to standard error.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

import msgspec

from simulation._registry import system_of
from simulation._results import Result, failed, result_of
from simulation._running import play_case
from simulation.scenario import Case, System

READY: Final = b"ready\n"
DEAF_TO: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Whoever started us gets these, too, and decides when we end."""

_PR_SET_PDEATHSIG: Final = 1


def result_of_case(case: Case, system: System) -> Result:
    """Play a case; what is raised is a result, too."""
    try:
        return result_of(play_case(system, case))
    except Exception as error:  # a system of the user's own may raise anything
        return failed(case, "broke", f"{type(error).__name__}: {error}")


def main() -> None:
    """Answer each case on standard input with its result."""
    for number in DEAF_TO:
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        return  # it died before that
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    systems: dict[str, System] = {}
    answers.write(READY)
    answers.flush()
    for line in sys.stdin.buffer:
        case = msgspec.json.decode(line, type=Case)
        try:
            system = systems.setdefault(case.system, system_of(case.system))
        except ValueError as error:
            result = failed(case, "broke", str(error))
        else:
            result = result_of_case(case, system)
        answers.write(msgspec.json.encode(result) + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
