"""A counterexample drawn in the terminal.

::

    process 0   [write 1 ===]
    process 1         [read → 1 ---]   [write 2 ? ·····················>
    process 2                                   [✗ read → 0 ####]
                ^0.001 s                        ^0.040 s        ^0.044 s

It is the scene of the report, in columns instead of pixels: the order of beginnings and
ends is exact, distances are not.  ``#`` fills the operation that cannot be placed, ``=``
evidence, ``-`` the others; an operation that never ended trails off in dots.  One that need
not have happened for the violation ends in ``?``, and a round bracket stands where an
operation might have begun earlier, or ended later.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import replace
from itertools import pairwise
from typing import Final

from checker import Counterexample
from histories import History
from reports import _faults, _labels
from reports._operations import Operations, has_clock, operations
from reports._relaxed import Relaxed
from reports._scene import Bar, Scene, Style, Tick, focus_on, scene

_WIDTH_MIN: Final = 40
_TIME_WIDTH: Final = 12
_FILL: Final = {"culprit": "#", "evidence": "=", "context": "-"}
_PLAIN: Final = {"→": "->", "⇒": "=>", "…": "~", "·": ".", "µ": "u", "✗": "X"}
_FAULT_LINES_MAX: Final = 4

_COLUMNS: Final = Style(
    measure=lambda label: float(_labels.cells(label) + 3),
    mark=2,
    gap=2,
    stretch=0.34,
    break_width=5,
    width_max=80,
    width_limit=80,
    attempts=((28, 1.0), (28, 0.5), (17, 0.5)),
)


def text(
    history: History, counterexample: Counterexample, *, width: int = 100, ascii: bool = False
) -> str:
    """The operations around a violation as lines of at most `width` (at least 40) columns.

    Empty if the counterexample names no operation of this history.  With `ascii` nothing
    but ASCII is used, for terminals and logs that cannot show more.
    """
    ops = operations(history)
    focus = focus_on(ops, counterexample)
    if focus is None:
        return ""
    spell = _plain if ascii else str
    last = int(ops.process[focus.rows].max())
    margin = len(f"process {last}") + 2
    room = max(width, _WIDTH_MIN) - margin
    # The last time stands to the right of its mark.
    style = replace(
        _COLUMNS, width_max=room - _TIME_WIDTH, width_limit=room - _TIME_WIDTH, spell=spell
    )
    drawn = scene(ops, focus, style, _faults.bands(history))
    cut = max(math.ceil(drawn.width) - int(style.width_max), 0)
    relaxed = Relaxed.of(counterexample)
    lines = _fault_lines(drawn, cut) + _lane_lines(drawn, cut, relaxed)
    lines += _axis_lines(ops, drawn, cut)
    picture = [_padded(spell(name), margin) + spell(line) for name, line in lines]
    picture += textwrap.wrap(
        spell(_legend(drawn, relaxed, cut > 0, has_clock(history))), max(width, _WIDTH_MIN)
    )
    return "\n".join(line.rstrip() for line in picture)


def _lane_lines(drawn: Scene, cut: int, relaxed: Relaxed) -> list[tuple[str, str]]:
    lines = []
    for number, lane in enumerate(drawn.lanes):
        for track in range(lane.tracks):
            pieces = [
                _bar(bar, cut, relaxed)
                for bar in drawn.bars
                if bar.lane == number and bar.track == track and math.floor(bar.right) > cut + 1
            ]
            lines.append((f"process {lane.process}" if track == 0 else "", _line(pieces)))
    return lines


def _bar(bar: Bar, cut: int, relaxed: Relaxed) -> tuple[int, str]:
    left = max(math.floor(bar.left) - cut, 0)
    inside = math.floor(bar.right) - cut - left - 1
    label = f"✗ {bar.label}" if bar.role == "culprit" else bar.label
    while _labels.cells(label) > inside:  # only where the picture is cut
        label = _labels.clip(label, len(label) - 1) if inside else ""
    crashed = bar.outcome in ("info", "pending")
    fill = ("·" if crashed else _FILL[bar.role]) * (inside - _labels.cells(label) - 1)
    space = " " * (inside - _labels.cells(label) - len(fill))
    begin = "(" if bar.event in relaxed.earlier else "["
    begin = "<" if bar.early or math.floor(bar.left) < cut else begin
    end = ")" if bar.event in relaxed.later else "]"
    end = "?" if bar.event in relaxed.optional else end
    return left, f"{begin}{label}{space}{fill}{'>' if crashed else end}"


def _fault_lines(drawn: Scene, cut: int) -> list[tuple[str, str]]:
    names = list(dict.fromkeys(shade.band.name for shade in drawn.shades))[:_FAULT_LINES_MAX]
    lines = []
    for name in names:
        pieces = []
        for shade in drawn.shades:
            left, right = (max(math.floor(x) - cut, 0) for x in (shade.left, shade.right))
            if shade.band.name != name or (cut and right == 0):
                continue
            length = max(right - left, 1)
            whom = f": on {shade.band.targets} " if shade.band.targets else ""
            whom = whom if _labels.cells(whom) < length else ""
            pieces.append((left, whom + ":" * (length - _labels.cells(whom))))
        lines.append((_labels.clip(name, 10), _line(pieces)))
    return lines


def _axis_lines(ops: Operations, drawn: Scene, cut: int) -> list[tuple[str, str]]:
    """Times, first of all those of the culprit, and how many operations each gap hides."""
    culprit = next((bar for bar in drawn.bars if bar.role == "culprit"), None)
    ends = {culprit.left, culprit.right} if culprit else set()
    wanted = sorted(drawn.ticks, key=lambda tick: (tick.x not in ends, tick.x))
    steps = [b.time - a.time for a, b in pairwise(drawn.ticks) if b.time > a.time]
    clock = has_clock(ops.history)
    shown: list[tuple[int, str]] = []
    for tick in wanted:
        piece = (math.floor(tick.x) - cut, _time(tick, steps, clock))
        if piece[0] >= 0 and all(_apart(piece, other) for other in shown):
            shown.append(piece)
    gaps = [(math.floor(gap.left) + 1 - cut, f"+{gap.hidden:,}") for gap in drawn.gaps]
    gaps = [gap for gap in gaps if gap[0] >= 0]
    return [("", _line(sorted(shown))), *([("", _line(gaps))] if gaps else [])]


def _time(tick: Tick, steps: list[int], clock: bool) -> str:
    if not clock:
        return f"^{tick.time:,}"
    return "^" + _labels.moment(tick.time, max(min(steps, default=10**9), 10**3))


def _apart(a: tuple[int, str], b: tuple[int, str]) -> bool:
    return a[0] + len(a[1]) + 2 <= b[0] or b[0] + len(b[1]) + 2 <= a[0]


def _legend(drawn: Scene, relaxed: Relaxed, cut: bool, clock: bool) -> str:
    roles = {bar.role for bar in drawn.bars}
    words = [f"{drawn.shown:,} of {_labels.count(drawn.total, 'operation')}"]
    words.append("# cannot be placed" if "culprit" in roles else "")
    words.append("= evidence" if "evidence" in roles else "")
    words.append("- others" if "context" in roles else "")
    if any(bar.outcome in ("info", "pending") for bar in drawn.bars):
        words.append("[··> nobody knows")
    ended = {bar.event for bar in drawn.bars if bar.outcome not in ("info", "pending")}
    words.append("[==? wrong even if this did not happen" if ended & relaxed.optional else "")
    shown = {bar.event for bar in drawn.bars}
    if shown & relaxed.earlier or ended & (relaxed.later - relaxed.optional):
        words.append("(==) wrong even if this began earlier or ended later")
    words.append("+n not shown" if drawn.gaps else "")
    words.append("" if clock else "^n event n")
    words.append(": fault" if drawn.shades else "")
    words.append("the beginning is cut off" if cut else "")
    return "   ".join(word for word in words if word)


def _line(pieces: list[tuple[int, str]]) -> str:
    """Pieces at their columns, in order; a piece without room moves to the right."""
    line, column = "", 0
    for start, piece in pieces:
        pad = max(start - column, 0)
        line += " " * pad + piece
        column += pad + _labels.cells(piece)
    return line


def _padded(line: str, width: int) -> str:
    return line + " " * max(width - _labels.cells(line), 0)


def _plain(label: str) -> str:
    for fancy, plain in _PLAIN.items():
        label = label.replace(fancy, plain)
    return label.encode("ascii", "backslashreplace").decode("ascii")
