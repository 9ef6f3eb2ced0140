"""A few operations, placed so that one can see what happened before what.

Among a million operations a handful explain a violation, and they may lie seconds apart
while each took a millisecond.  A time axis to scale would show dots.  So a scene keeps
the *order* of all beginnings and ends exactly, gives every bar the room its label needs,
and compresses the rest: each distinct point in time gets a position, points further apart
in time get more room (by the logarithm), and a gap says how many operations it hides.

Positions are found in one pass from left to right (the longest path in a graph whose
edges all point to the right).  The unit is the caller's: pixels for the page, columns for
the terminal.  Intervals are closed, so at equal times beginnings come before ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Literal, TypeAlias

import numpy as np

from checker import Counterexample
from histories import Process
from reports import _labels
from reports._faults import Band
from reports._operations import FAIL, NEVER, OUTCOMES, Ints, Operations, Outcome

Role: TypeAlias = Literal["culprit", "evidence", "context"]

EVIDENCE_MAX: Final = 30
_NEIGHBOURS: Final = (36, 28, 20, 14, 10, 6, 3, 0)
_BEGIN, _EDGE, _END = 0, 1, 2  # the order of things at equal times


@dataclass(frozen=True)
class Focus:
    """What a scene is about: a moment in the columns, and the rows that must be seen."""

    title: str
    rows: Ints
    """Rows that may be shown (in the order of invocation)."""
    culprit: int | None
    evidence: frozenset[int]
    moment: int
    keyed: bool
    """Whether labels must name the key, because rows of several keys may be shown."""


@dataclass(frozen=True)
class Style:
    """What the medium asks for, in its own unit of width."""

    measure: Callable[[str], float]
    """The room for a label, with its margins."""
    mark: float
    """What the mark of a culprit or of evidence adds to that."""
    gap: float
    stretch: float
    break_width: float
    width_max: float
    """The width wanted: neighbours are left out, labels cut and gaps narrowed for it."""
    width_limit: float
    """The width allowed: for it even evidence is left out, the farthest first."""
    attempts: tuple[tuple[int, float], ...] = ((32, 1.0), (32, 0.5), (20, 0.5))
    """How long labels may be (characters), and how wide gaps are (share of `gap`)."""
    spell: Callable[[str], str] = str
    """How the medium writes a label."""


@dataclass(frozen=True)
class Bar:
    """An operation with a place."""

    row: int
    lane: int
    track: int
    left: float
    right: float
    label: str
    outcome: Outcome
    role: Role
    event: int
    early: bool
    """It crashed before the scene begins, and is drawn from the left edge."""


@dataclass(frozen=True)
class Lane:
    """A process; more than one track only if its operations overlap (times too coarse)."""

    process: Process
    tracks: int


@dataclass(frozen=True)
class Shade:
    """A fault, as far as it can be seen here."""

    band: Band
    left: float
    right: float


@dataclass(frozen=True)
class Gap:
    """A place where operations were left out."""

    left: float
    right: float
    hidden: int


@dataclass(frozen=True)
class Tick:
    """A point in time."""

    x: float
    time: int


@dataclass(frozen=True)
class Scene:
    """Everything placed; `shown` of `total` operations."""

    title: str
    bars: tuple[Bar, ...]
    lanes: tuple[Lane, ...]
    shades: tuple[Shade, ...]
    gaps: tuple[Gap, ...]
    ticks: tuple[Tick, ...]
    width: float
    shown: int
    total: int


def focus_on(ops: Operations, found: Counterexample) -> Focus | None:
    """What to show for a counterexample; None if it names no operation of this history."""
    culprit = ops.row_of(found.operation)
    evidence = {ops.row_of(event.index) for event in found.operations} - {None, culprit}
    named = sorted(row for row in evidence if row is not None)
    anchor = culprit if culprit is not None else (named[-1] if named else None)
    if anchor is None:
        return None
    key = ops.key[anchor]
    near = (ops.key == key) & (ops.outcome != FAIL)
    near[[*named, anchor]] = True
    near &= ~ops.silent
    near[anchor] = True
    telling = [row for row in named if near[row]]
    nearest = sorted(telling, key=lambda row: abs(row - anchor))[:EVIDENCE_MAX]
    one_key = bool((ops.key[[*named, anchor]] == key).all())
    about = f"key {_labels.name(found.key)}" if one_key and found.key is not None else ""
    return Focus(
        title=f"Operations on {about} around the violation"
        if about
        else "Operations around the violation",
        rows=np.flatnonzero(near),
        culprit=culprit,
        evidence=frozenset(nearest) | ({anchor} if culprit is None else set()),
        moment=anchor,
        keyed=not one_key,
    )


def focus_on_load(ops: Operations) -> Focus | None:
    """What to show where nothing is wrong: the moment with the most operations."""
    if not len(ops):
        return None
    first, last = int(ops.start[0]), int(ops.start[-1])
    rows = np.arange(len(ops))
    busiest = 0
    if last > first and len(ops) > _NEIGHBOURS[0]:
        bins = min(len(ops) // 12 + 1, 400)
        slot = ((ops.start - first) / (last - first) * (bins - 1)).astype(np.int64)
        busiest = int(np.searchsorted(slot, int(np.bincount(slot).argmax())))
    return Focus(
        title="The busiest moment of the run" if busiest else "The first moments of the run",
        rows=rows,
        culprit=None,
        evidence=frozenset(),
        moment=min(busiest + _NEIGHBOURS[0] // 2, len(ops) - 1),
        keyed=bool((ops.key >= 0).any()),
    )


def scene(ops: Operations, focus: Focus, style: Style, bands: Sequence[Band] = ()) -> Scene:
    """Place as many operations around the focus as fit, the culprit always."""
    ranked = _by_nearness(ops, focus)
    evidence = sorted(
        focus.evidence - {focus.culprit},
        key=lambda row: abs(ops.start[row] - ops.start[focus.moment]),
    )
    culprit = [] if focus.culprit is None else [focus.culprit]

    def placed(neighbours: int, witnesses: int, limit: int, squeeze: float) -> Scene:
        rows = sorted({*culprit, *evidence[:witnesses], *ranked[:neighbours]})
        tight = replace(style, gap=style.gap * squeeze, stretch=style.stretch * squeeze)
        return _place(ops, focus, rows or [focus.moment], tight, bands, limit)

    most = min(len(ranked), _NEIGHBOURS[0])
    counts = (most, *(number for number in _NEIGHBOURS if number < most))
    for limit, squeeze in style.attempts:
        for neighbours in counts:
            drawn = placed(neighbours, len(evidence), limit, squeeze)
            if drawn.width <= style.width_max:
                return drawn
    for witnesses in range(len(evidence), -1, -1):
        drawn = placed(0, witnesses, *style.attempts[-1])
        if drawn.width <= style.width_limit:
            break
    return drawn


def _by_nearness(ops: Operations, focus: Focus) -> list[int]:
    """The rows closest to the focus in time; what happened afterwards explains less."""
    rows = focus.rows
    begin, end = int(ops.start[focus.moment]), int(ops.end[focus.moment])
    end = begin if end == NEVER else end
    crashed = ops.crashed[rows]
    start, stop = ops.start[rows], np.where(crashed, ops.start[rows], ops.end[rows])
    before = np.maximum(begin - stop, 0)
    after = np.maximum(start - end, 0) * 3
    distance = before + after
    apart = np.abs(rows - focus.moment)
    wanted = min(_NEIGHBOURS[0] + EVIDENCE_MAX + 1, len(rows))
    order = np.lexsort((apart, distance))[:wanted]
    must = focus.evidence | {focus.culprit}
    return [int(row) for row in rows[order] if int(row) not in must]


@dataclass(frozen=True)
class _Point:
    time: int
    kind: int


def _place(
    ops: Operations,
    focus: Focus,
    rows: Sequence[int],
    style: Style,
    bands: Sequence[Band],
    limit: int,
) -> Scene:
    labels = {row: style.spell(_label(ops, row, focus.keyed, limit)) for row in rows}
    marked = focus.evidence | {focus.culprit}
    room = {
        row: style.measure(label) + (style.mark if row in marked else 0)
        for row, label in labels.items()
    }
    begins = {row: _Point(int(ops.start[row]), _BEGIN) for row in rows}
    ends = {row: _Point(int(ops.end[row]), _END) for row in rows if not ops.crashed[row]}
    # Crashed operations of long ago are concurrent with everything here, and their order does
    # not matter: one place at the left edge is enough for all of them.
    first = min((int(ops.start[row]) for row in ends), default=0)
    early = [row for row in rows if row not in ends and ops.start[row] < first]
    if early:
        begins |= dict.fromkeys(early, _Point(int(ops.start[early].max()), _BEGIN))
    else:
        first = min(point.time for point in begins.values())
    last = max(point.time for point in (*begins.values(), *ends.values()))
    seen = [b for b in bands if b.start <= last and (b.stop is None or b.stop >= first)]
    edges = {
        _Point(time, _EDGE)
        for band in seen
        for time in (band.start, band.stop)
        if time is not None and first < time < last
    }
    points = sorted({*begins.values(), *ends.values(), *edges}, key=lambda p: (p.time, p.kind))
    hidden = _hidden(ops, focus, rows, points)
    at = _positions(points, hidden, begins, ends, room, style)
    right = at[points[-1]]
    for row in rows:
        if row not in ends:
            right = max(right, at[begins[row]] + room[row])
    right += style.gap * 2 if len(ends) < len(rows) else 0
    spots = [(row, at[begins[row]], at[ends[row]] if row in ends else right) for row in rows]
    bars, lanes = _lanes(ops, focus, spots, labels, frozenset(early))
    gaps = [
        Gap(at[a], at[b], number)
        for a, b, number in zip(points[:-1], points[1:], hidden, strict=True)
        if number
    ]
    return Scene(
        title=focus.title,
        bars=bars,
        lanes=lanes,
        shades=tuple(_shade(band, at, first, last, right) for band in seen),
        gaps=tuple(gaps),
        ticks=tuple(
            Tick(at[point], point.time)
            for point in points
            if point.kind != _EDGE and point.time >= first
        ),
        width=right,
        shown=len(rows),
        total=len(focus.rows),
    )


def _label(ops: Operations, row: int, keyed: bool, limit: int) -> str:
    text = ops.describe(row, limit)
    if not keyed or ops.key[row] < 0:
        return text
    key = ops.events(row)[0].key
    return text if key is None else f"{_labels.name(key, max(limit // 2, 6))}: {text}"


def _hidden(
    ops: Operations, focus: Focus, rows: Sequence[int], points: Sequence[_Point]
) -> list[int]:
    """How many operations that belong here begin between each two points, unseen."""
    times = np.array([point.time for point in points], dtype=np.int64)
    all_before = np.searchsorted(ops.start[focus.rows], times, side="left")
    shown_before = np.searchsorted(ops.start[np.asarray(rows)], times, side="left")
    return [int(number) for number in np.diff(all_before - shown_before)]


def _positions(
    points: Sequence[_Point],
    hidden: Sequence[int],
    begins: dict[int, _Point],
    ends: dict[int, _Point],
    room: dict[int, float],
    style: Style,
) -> dict[_Point, float]:
    """One pass from left to right; every bar that ends here has room for its label."""
    ending: dict[_Point, list[int]] = {}
    for row, point in ends.items():
        ending.setdefault(point, []).append(row)
    steps = [b.time - a.time for a, b in pairwise(points)]
    usual = float(np.median(steps)) if steps else 0.0
    at: dict[_Point, float] = {}
    previous = 0.0
    for number, point in enumerate(points):
        x = 0.0
        if number:
            far = math.log2(1 + steps[number - 1] / usual) if usual > 0 else 1.0
            x = previous + style.gap + style.stretch * min(far, 8.0)
            if hidden[number - 1]:
                x = max(x, previous + style.break_width)
        for row in ending.get(point, ()):
            x = max(x, at[begins[row]] + room[row])
        at[point] = previous = x
    return at


def _lanes(
    ops: Operations,
    focus: Focus,
    spots: Iterable[tuple[int, float, float]],
    labels: dict[int, str],
    early: frozenset[int],
) -> tuple[tuple[Bar, ...], tuple[Lane, ...]]:
    spots = list(spots)
    processes = sorted({int(ops.process[row]) for row, _, _ in spots})
    lane_of = {process: number for number, process in enumerate(processes)}
    free: list[list[float]] = [[] for _ in processes]
    bars: list[Bar] = []
    for row, left, right in spots:
        lane = lane_of[int(ops.process[row])]
        tracks = free[lane]
        track = next((n for n, until in enumerate(tracks) if until < left), len(tracks))
        tracks[track : track + 1] = [right]
        role: Role = (
            "culprit"
            if row == focus.culprit
            else "evidence"
            if row in focus.evidence
            else "context"
        )
        outcome = OUTCOMES[int(ops.outcome[row])]
        bars.append(
            Bar(
                row,
                lane,
                track,
                left,
                right,
                labels[row],
                outcome,
                role,
                int(ops.invoke[row]),
                row in early,
            )
        )
    lanes = tuple(
        Lane(process, len(tracks)) for process, tracks in zip(processes, free, strict=True)
    )
    return tuple(bars), lanes


def _shade(band: Band, at: dict[_Point, float], first: int, last: int, right: float) -> Shade:
    left = (
        at[_Point(band.start, _EDGE)]
        if first < band.start < last
        else (0.0 if band.start <= first else right)
    )
    stop = band.stop
    until = (
        right
        if stop is None or stop >= last
        else (at[_Point(stop, _EDGE)] if stop > first else 0.0)
    )
    return Shade(band, left, max(until, left))
