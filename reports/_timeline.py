"""A scene as SVG: a lane per process, a bar per operation, faults behind them.

The drawing is plain SVG made by a template that escapes everything, without scripts; a
bar tells its details as a tooltip (`<title>`) and has an anchor that tables link to.
Colour never speaks alone: the operation that cannot be placed has a cross and a heavy
border, evidence a dot, and what never ended has an open, dashed end.  What the violation
can do without (`_relaxed`) has a dotted border and a question mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from reports import _labels
from reports._faults import Band
from reports._operations import Operations, has_clock
from reports._relaxed import Relaxed
from reports._scene import Bar, Focus, Scene, Style, Tick, scene

_LEFT: Final = 92.0
_TRACK: Final = 32.0
_BAR: Final = 25.0
_LANE_PAD: Final = 5.0
_STRIP: Final = 20.0
_AXIS: Final = 40.0
_CELL: Final = 7.25  # a column of the monospaced label font, px
_TICK_SPACE: Final = 92.0
_STRIPS_MAX: Final = 5
_STRETCH_MAX: Final = 1.8
_COLOURS: Final = 5  # as many as the style sheet has

PIXELS: Final = Style(
    measure=lambda text: _labels.cells(text) * _CELL + 18,
    mark=15,
    gap=8,
    stretch=4,
    break_width=72,
    width_max=988,
    width_limit=2600,
)

_BROAD: Final = replace(PIXELS, width_max=1900)  # nothing to find, so scrolling does no harm


@dataclass(frozen=True)
class Box:
    """A bar in pixels."""

    x: float
    y: float
    width: float
    label: str
    mark: str
    css: str
    tip: str
    anchor: str
    open_end: bool
    early: bool
    optional: bool
    """The violation stands without it."""


@dataclass(frozen=True)
class Row:
    """A lane in pixels."""

    y: float
    height: float
    name: str
    note: str
    odd: bool


@dataclass(frozen=True)
class Strip:
    """A fault in pixels: a named strip above the lanes and a shade behind them."""

    x: float
    y: float
    width: float
    name: str
    tip: str
    colour: int


@dataclass(frozen=True)
class Note:
    """A word at a place: a tick of the axis or the size of a gap."""

    x: float
    text: str
    strong: bool = False

    @property
    def text_x(self) -> float:
        """The middle of the text, moved away from the edge of the drawing."""
        return max(self.x, _LEFT + len(self.text) * 3 + 2)


@dataclass(frozen=True)
class Timeline:
    """Everything the template draws, and nothing it must compute."""

    title: str
    caption: str
    alt: str
    width: float
    height: float
    top: float
    bottom: float
    left: float
    rows: tuple[Row, ...]
    boxes: tuple[Box, ...]
    strips: tuple[Strip, ...]
    guides: tuple[float, ...]
    ticks: tuple[Note, ...]
    gaps: tuple[Note, ...]
    scroll_to_end: bool
    culprit: bool
    evidence: bool
    open_ended: bool
    optional: bool
    bar: float = _BAR


def timeline(
    ops: Operations,
    focus: Focus,
    bands: Sequence[Band],
    anchor: str,
    relaxed: Relaxed = Relaxed(),  # noqa: B008  # frozen
) -> Timeline:
    """Draw the scene; `anchor` begins the ids of its bars and must differ per drawing."""
    explains = focus.culprit is not None or bool(focus.evidence)
    drawn = _stretched(scene(ops, focus, PIXELS if explains else _BROAD, bands))
    strips, top = _strips(drawn, list(dict.fromkeys(band.name for band in bands)))
    rows, tops, bottom = _rows(ops, drawn, top)
    boxes = tuple(_box(ops, bar, tops, anchor, relaxed) for bar in drawn.bars)
    culprit = next((bar for bar in drawn.bars if bar.role == "culprit"), None)
    guides = (_LEFT + culprit.left, _LEFT + culprit.right) if culprit else ()
    width = _LEFT + drawn.width + 36
    return Timeline(
        title=drawn.title,
        caption=_caption(drawn, focus),
        alt=_alt(ops, drawn, culprit),
        width=width,
        height=bottom + _AXIS,
        top=top,
        bottom=bottom,
        left=_LEFT - 6,
        rows=rows,
        boxes=boxes,
        strips=strips,
        guides=guides,
        ticks=_ticks(ops, drawn, culprit),
        gaps=tuple(
            Note(_LEFT + (gap.left + gap.right) / 2, f"{gap.hidden:,} more")
            for gap in drawn.gaps
            if gap.right - gap.left >= 60
        ),
        scroll_to_end=culprit is not None and culprit.left > PIXELS.width_max * 0.6,
        culprit=culprit is not None,
        evidence=any(bar.role == "evidence" for bar in drawn.bars),
        open_ended=any(bar.outcome in ("info", "pending") for bar in drawn.bars),
        optional=any(box.optional for box in boxes),
    )


def _stretched(drawn: Scene) -> Scene:
    """A narrow scene takes the width of the page, within reason."""
    factor = min(max(PIXELS.width_max / drawn.width, 1.0), _STRETCH_MAX) if drawn.width else 1.0
    return replace(
        drawn,
        width=drawn.width * factor,
        bars=tuple(
            replace(bar, left=bar.left * factor, right=bar.right * factor) for bar in drawn.bars
        ),
        shades=tuple(
            replace(shade, left=shade.left * factor, right=shade.right * factor)
            for shade in drawn.shades
        ),
        gaps=tuple(
            replace(gap, left=gap.left * factor, right=gap.right * factor) for gap in drawn.gaps
        ),
        ticks=tuple(replace(tick, x=tick.x * factor) for tick in drawn.ticks),
    )


def _strips(drawn: Scene, known: list[str]) -> tuple[tuple[Strip, ...], float]:
    """Strips above the lanes; a fault has the same colour here as in the plots (`known`)."""
    names = list(dict.fromkeys(shade.band.name for shade in drawn.shades))[:_STRIPS_MAX]
    strips = []
    for shade in drawn.shades:
        if shade.band.name not in names:
            continue
        band, number = shade.band, names.index(shade.band.name)
        stop = "never stopped" if band.stop is None else f"until {band.stop / 1e9:,.3f} s"
        whom = f" on {band.targets}" if band.targets else ""
        tip = f"{band.name}{whom}, from {band.start / 1e9:,.3f} s, {stop}"
        strips.append(
            Strip(
                _LEFT + shade.left,
                4 + number * _STRIP,
                max(shade.right - shade.left, 2.0),
                f"{band.name}{whom}",
                tip,
                known.index(band.name) % _COLOURS,
            )
        )
    return tuple(strips), (len(names) * _STRIP + 8 if names else 4)


def _rows(ops: Operations, drawn: Scene, top: float) -> tuple[tuple[Row, ...], list[float], float]:
    node_of = {bar.lane: ops.events(bar.row)[0].node for bar in reversed(drawn.bars)}
    rows, tops, y = [], [], top
    for number, lane in enumerate(drawn.lanes):
        height = lane.tracks * _TRACK + 2 * _LANE_PAD - (_TRACK - _BAR)
        node = node_of.get(number)
        rows.append(
            Row(
                y,
                height,
                f"process {_labels.name(lane.process, 9)}"[:16],
                _labels.name(node, 10) if node else "",
                number % 2 == 1,
            )
        )
        tops.append(y + _LANE_PAD)
        y += height
    return tuple(rows), tops, y


def _box(ops: Operations, bar: Bar, tops: list[float], anchor: str, relaxed: Relaxed) -> Box:
    open_end = bar.outcome in ("info", "pending")
    optional = bar.event in relaxed.optional and not open_end
    mark = {"culprit": "✗", "evidence": "●", "context": ""}[bar.role]
    return Box(
        x=_LEFT + bar.left,
        y=tops[bar.lane] + bar.track * _TRACK,
        width=bar.right - bar.left,
        label=bar.label,
        mark=mark,
        css=f"{bar.role} {bar.outcome}{' optional' if optional else ''}",
        tip="\n".join([_tip(ops, bar), *relaxed.remarks(bar.event)]),
        anchor=f"{anchor}-{bar.event}",
        open_end=open_end,
        early=bar.early,
        optional=optional,
    )


def _tip(ops: Operations, bar: Bar) -> str:
    invocation, completion = ops.events(bar.row)
    clock = has_clock(ops.history)
    since = f"at {invocation.time / 1e9:,.6f} s" if clock else f"as event {invocation.index:,}"
    parts = [
        ops.describe(bar.row, 160),
        f"process {_labels.name(invocation.process, 24)}"
        + (f" on {_labels.name(invocation.node, 24)}" if invocation.node else ""),
        f"invoked {since}",
    ]
    if completion is None:
        parts.append("never completed")
    else:
        took = f" after {_labels.duration(completion.time - invocation.time)}" if clock else ""
        parts.append(f"{completion.type}{took}")
        if completion.error is not None:
            parts.append(f"error {_labels.short(completion.error, 120)}")
    if bar.role == "culprit":
        parts.append("cannot be placed")
    return "\n".join(parts)


def _ticks(ops: Operations, drawn: Scene, culprit: Bar | None) -> tuple[Note, ...]:
    """Times under the axis where there is room, first of all those of the culprit."""
    if not drawn.ticks:
        return ()
    ends = {culprit.left, culprit.right} if culprit else set()
    chosen: list[Tick] = []
    for tick in sorted(drawn.ticks, key=lambda t: (t.x not in ends, t.x)):
        if all(abs(tick.x - other.x) >= _TICK_SPACE for other in chosen):
            chosen.append(tick)
    chosen.sort(key=lambda tick: tick.x)
    steps = [b.time - a.time for a, b in pairwise(chosen) if b.time > a.time]
    finest = min(steps, default=10**9)
    clock = has_clock(ops.history)
    return tuple(
        Note(
            _LEFT + tick.x,
            _labels.moment(tick.time, finest) if clock else f"event {tick.time:,}",
            tick.x in ends,
        )
        for tick in chosen
    )


def _caption(drawn: Scene, focus: Focus) -> str:
    of = f"{drawn.shown:,} of {_labels.count(drawn.total, 'operation')}"
    explains = focus.culprit is not None or bool(focus.evidence)
    failed = any(bar.outcome == "fail" for bar in drawn.bars)
    left_out = (
        f" {'Other failed' if failed else 'Failed'} operations, which certainly did not "
        "happen, are left out."
        if explains
        else ""
    )
    early = (
        " What crashed before begins at the left edge." if any(b.early for b in drawn.bars) else ""
    )
    return (
        f"{of} shown.{left_out} The order of all beginnings and ends is exact; "
        f"distances are compressed.{early}"
    )


def _alt(ops: Operations, drawn: Scene, culprit: Bar | None) -> str:
    lanes = _labels.count(len(drawn.lanes), "process", "processes")
    bars = _labels.count(len(drawn.bars), "operation")
    text = f"Timeline of {bars} by {lanes}."
    if culprit:
        text += f" {ops.describe(culprit.row, 60)} cannot be placed."
    return text
