"""``momus run --script FILE.json``: the orders to the nemesis as somebody wrote them down.

    [[2.5, "start-kill", {"targets": ["n1"]}],
     [6.0, "stop-kill"]]

A list of ``[seconds since the run began, f, value]``, in the order in which they are given;
the value may be left out.  What a value says depends on the fault, see docs/nemesis.md.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeAlias

from momus._exits import Refusal
from momus._faults import KINDS

Step: TypeAlias = tuple[float, str, Any]


def steps_of(path: Path, faults: Collection[str] = KINDS) -> list[Step]:
    """The steps in a file, which may speak of `faults`; `Refusal` says which is wrong, and how."""
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refusal(f"{path}: {error.strerror or error}; try another --script") from error
    except (ValueError, RecursionError) as error:
        raise Refusal(f"{path} is not JSON: {error}") from error
    if not isinstance(listed, list):
        raise Refusal(f'{path}: a script is a list like [[2.5, "start-kill", {{...}}], ...]')
    steps = [_step(f"{path}: step {number}", each, faults) for number, each in enumerate(listed, 1)]
    for number, (before, after) in enumerate(itertools.pairwise(steps), 2):
        if after[0] < before[0]:
            raise Refusal(f"{path}: step {number} is due before the one in front of it; sort them")
    return steps


def faults_of(steps: list[Step]) -> tuple[str, ...]:
    """The faults that a script speaks of, in its order."""
    return tuple(dict.fromkeys(f.partition("-")[2] for _, f, _ in steps))


def _step(where: str, step: Any, faults: Collection[str]) -> Step:
    if not isinstance(step, list) or not 2 <= len(step) <= 3:
        raise Refusal(f"{where} is {step!r:.80}; a step is [seconds, f] or [seconds, f, value]")
    at_s, f, value = (*step, None)[:3]
    if isinstance(at_s, bool) or not isinstance(at_s, int | float) or not 0 <= at_s < math.inf:
        raise Refusal(f"{where}: {at_s!r:.80} is no time; write seconds since the run began")
    verb, _, name = f.partition("-") if isinstance(f, str) else ("", "", "")
    if verb not in ("start", "stop") or name not in faults:
        raise Refusal(
            f"{where}: {f!r:.80} is no order; write start-X or stop-X, where X is one of "
            f"{', '.join(faults)}"
        )
    return float(at_s), f, value
