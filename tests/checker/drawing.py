"""Histories drawn as one draws them on paper: a line per process, time from left to right.

    0 |--write 1--|
    1        |--read 0--|     |--read 1--|
    2   |--write 2---...
    3      |--cas 1 2---x

The number in front is the process.  A bar is one operation, from its invocation to its
completion, and its columns are the times.  It ends in ``|`` (ok), in ``x`` (fail: it
certainly did not happen), or in ``...`` (nobody knows).  Inside stands what was asked: the
operation's name and its arguments, and behind ``>`` what was answered; for reads that ask
for nothing the answer alone.  Values are JSON, or bare words; `null` is None.
"""

from __future__ import annotations

import json
import re
from typing import Any

from histories import Event, History

_BAR = re.compile(r"\|-+\s*(?P<label>[^|]*?)\s*-+(?P<end>\||x|\.\.\.)")
_READS = ("read", "get", "r")


def drawn(drawing: str, key: Any = None) -> History:
    """The history that a drawing shows."""
    steps: list[tuple[int, int, Event]] = []
    for line in drawing.splitlines():
        if not line.strip():
            continue
        process = int(line.split()[0])
        bars = list(_BAR.finditer(line, line.index(str(process)) + len(str(process))))
        assert bars, f"no operation in {line!r}"
        for bar in bars:
            f, argument, answer = _label(bar["label"])
            ending = {"|": "ok", "x": "fail", "...": "info"}[bar["end"]]
            start, end = bar.start(), bar.end() - 1
            value = answer if ending == "ok" else argument
            # Completions first: it is the checkers' business that touching is overlapping.
            steps.append((end, 0, _event(process, ending, f, value, key)))
            steps.append((start, 1, _event(process, "invoke", f, argument, key)))
    steps.sort(key=lambda step: step[:2])
    return History.from_events(
        Event(index, time, event.process, event.type, event.f, event.key, event.value)
        for index, (time, _, event) in enumerate(steps)
    )


def _event(process: int, type: Any, f: str, value: Any, key: Any) -> Event:
    return Event(0, 0, process, type, f, key, value)


def _label(label: str) -> tuple[str, Any, Any]:
    asked, _, answered = label.partition(">")
    f, *words = asked.split()
    arguments = [_value(word) for word in words]
    argument = arguments[0] if len(arguments) == 1 else arguments or None
    if f in _READS and not answered.strip():
        return f, None, argument
    return f, argument, _value(answered.strip()) if answered.strip() else argument


def _value(word: str) -> Any:
    try:
        return json.loads(word)
    except json.JSONDecodeError:
        return word
