"""A core as a counterexample shows it: in data, in events to draw, and in a sentence."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from checker._core import Core
from checker._explanation import shown_value, told
from checker._model import Model
from checker._nondeterministic import shown_state
from checker._noticing import NEVER
from checker._staleness import Staleness, staleness_of
from checker._verdict import Counterexample
from histories import History

_TOLD_MAX: Final = 12
"""A sentence about more operations than this is not read."""

_REGISTERS: Final = ("register", "cas-register")
_READS: Final = ("read", "get", "r")


def with_core(
    counterexample: Counterexample,
    history: History,
    model: Model,
    stuck: int,
    writer: int | None,
    core: Core,
) -> Counterexample:
    """The counterexample with `details["core"]`, and the core's events as its evidence.

    `writer` last wrote what `stuck` read, if it did.
    """
    positions = {*core.invoked.tolist(), *core.returned.tolist()}
    if writer is not None:
        # Not needed to see that something is wrong, but the first thing a reader asks for.
        positions |= {writer, int(history.pairs[writer])}
    stale = _staleness(history, model, stuck, core)
    found: dict[str, Any] = {
        "operations": [_operation(history, core, number) for number in range(len(core.invoked))],
        "initial": {"known": True, "value": shown_state(model.initial)}
        if core.known_initial
        else {"known": False},
        "sentence": _sentence(history, model, core, stale),
    }
    if stale is not None:
        found["stale"] = {
            "read": int(history.index[stale[0]]),
            "versions": stale[1].versions,
            "overwritten": int(history.index[stale[1].overwritten]),
            "milliseconds": None if stale[1].nanoseconds is None else stale[1].nanoseconds / 1e6,
        }
    return msgspec.structs.replace(
        counterexample,
        operations=tuple(history[position] for position in sorted(positions - {-1})),
        details={**counterexample.details, "core": found},
    )


def _operation(history: History, core: Core, number: int) -> dict[str, Any]:
    invoked = history[int(core.invoked[number])]
    returned, end = int(core.returned[number]), int(core.end[number])
    sides = (("invoked", core.begin_widened), ("returned", core.end_widened))
    return {
        "index": invoked.index,
        "process": invoked.process,
        "f": invoked.f,
        "value": invoked.value,
        "result": history[returned].value if end != NEVER else None,
        "optional": end == NEVER,
        "begin": int(core.begin[number]),
        "end": None if end == NEVER else end,
        "widened": [side for side, flags in sides if flags[number]],
    }


def _staleness(
    history: History, model: Model, stuck: int, core: Core
) -> tuple[int, Staleness] | None:
    """The read that was stale: the one that cannot be placed, else the last one in the core."""
    if model.native not in _REGISTERS:
        return None
    reads = [
        int(invoked)
        for invoked, end in zip(core.invoked, core.end, strict=True)
        if end != NEVER and history.f_names[history.f[invoked]] in _READS
    ]
    for read in sorted(reads, key=lambda read: (read == stuck, read), reverse=True):
        if (stale := staleness_of(history, model.initial, read)) is not None:
            return read, stale
    return None


def _sentence(
    history: History, model: Model, core: Core, stale: tuple[int, Staleness] | None
) -> str:
    count = len(core.invoked)
    thing = "register" if model.native in _REGISTERS else "object"
    begun = "" if core.known_initial else f", whatever the {thing} held before"
    enough = "One operation is" if count == 1 else f"{count} operations are"
    acts = [_act(history, core, number) for number in range(min(count, _TOLD_MAX))]
    if count > _TOLD_MAX:
        acts.append(f"and {count - _TOLD_MAX} more")
    sentence = f"{enough} enough to see it{begun}: {'; '.join(acts)}."
    if stale is None:
        return sentence
    read, how = stale
    versions = "one change" if how.versions == 1 else f"{how.versions} changes"
    late = "" if how.nanoseconds is None else f", {how.nanoseconds / 1e6:,.3g} ms before"
    value = shown_value(history[int(history.pairs[read])].value)
    return (
        f"{sentence} The read of {value} (event {history.index[read]}) was at least {versions} "
        f"late: the value was gone by event {history.index[how.overwritten]}{late}."
    )


def _act(history: History, core: Core, number: int) -> str:
    invoked = history[int(core.invoked[number])]
    who = f"process {invoked.process}"
    if int(core.end[number]) == NEVER:
        argument = "" if invoked.value is None else f" of {shown_value(invoked.value)}"
        return f"a {invoked.f}{argument} by {who} (event {invoked.index}) may have happened"
    return f"{who} {told(invoked, history[int(core.returned[number])])} (event {invoked.index})"
