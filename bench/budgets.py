"""Do limits hold?  ``python -m bench.budgets`` prints what was asked for and what it took.

The history is as hard as can be: many clients write at once, over and over, and a read at
the end that no order explains, so that every subset of the writes is a configuration.  Each
row is a process of its own, since the peak of the resident memory never falls.  Time is the
whole call; memory is how much the peak has grown during the call.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from typing import Any, Final

from checker import ILLEGAL, Call, Model, linearizable
from histories import Event, History

SECONDS: Final = (0.5, 2.0, 5.0)
MEGABYTES: Final = (50, 200, 1000)
_CLIENTS: Final = 40


def hard(clients: int = _CLIENTS) -> History:
    """`clients` writes at once, and a read of a value that nobody wrote."""
    events = [Event(0, n, n, "invoke", "write", None, n) for n in range(1, clients)]
    events += [Event(0, clients, 0, "invoke", "read", None, None)]
    events += [Event(0, clients + n, n, "ok", "write", None, n) for n in range(1, clients)]
    events += [Event(0, 2 * clients, 0, "ok", "read", None, -1)]
    return History.from_events(
        Event(index, e.time, e.process, e.type, e.f, e.key, e.value)
        for index, e in enumerate(events)
    )


def _step(state: tuple[int, ...], call: Call) -> Any:
    """A register that remembers all that was written, so that its states are large."""
    return (*state, call.argument) if call.f == "write" else ILLEGAL


def _hang(state: int, call: Call) -> Any:
    while state == 0:
        pass
    return call.argument


MODELS: Final[dict[str, str | Model]] = {
    "native": "register",
    "python": Model("remembering", (), _step),
    "hanging": Model("hanging", 0, _hang),
}


def measured(model: str, seconds: float | None, megabytes: int | None) -> dict[str, Any]:
    """One call in this process."""
    history = hard()
    asked = MODELS[model]
    linearizable(hard(3), "register")  # whatever is loaded only once
    before = _peak()
    began = time.perf_counter()
    verdict = linearizable(
        history,
        asked,
        algorithm="jit",
        time_limit_s=seconds,
        memory_limit_bytes=megabytes * 1_000_000 if megabytes is not None else None,
    )
    took = time.perf_counter() - began
    cause = verdict.unknown.cause if verdict.unknown is not None else str(verdict.valid)
    return {"seconds": took, "megabytes": (_peak() - before) / 1e6, "cause": cause}


def _peak() -> int:
    """Of this process, or of a child of it that has ended: whichever held more."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(who).ru_maxrss for who in whose) * 1024


def main() -> None:
    """Print one line for each limit."""
    for model in MODELS:
        for seconds in SECONDS:
            row = _apart(model, seconds, None)
            print(f"{model:8} {seconds:6g} s   took {row['seconds']:7.3f} s  ({row['cause']})")
    for model in ("native", "python"):
        for megabytes in MEGABYTES:
            row = _apart(model, None, megabytes)
            grown = f"grew by {row['megabytes']:7.1f} MB"
            print(f"{model:8} {megabytes:6} MB  {grown}  ({row['cause']}, {row['seconds']:.1f} s)")


def _apart(model: str, seconds: float | None, megabytes: int | None) -> dict[str, Any]:
    asked = json.dumps([model, seconds, megabytes])
    command = [sys.executable, "-m", "bench.budgets", asked]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    row: dict[str, Any] = json.loads(done.stdout)
    return row


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measured(*json.loads(sys.argv[1]))))
    else:
        main()
