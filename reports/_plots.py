"""Latency and rate over the time of the run, with the faults above them.

Three pictures share one time axis: a lane per kind of fault; the latency of every
operation by how it ended, a panel per `f`, on a logarithmic scale, with the median and
the 99th percentile of those that succeeded drawn over it; and completions per second.

A million operations are a million points, but a picture has only so many pixels: points
that would fall on the same spot are drawn once, so size and time depend on the picture,
not on the run, and no outlier is lost.  As SVG the points are an embedded bitmap while
words and lines stay sharp.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from reports import _labels
from reports._faults import Band
from reports._figure import Picture, Theme, framed, plain_number
from reports._operations import OK, OUTCOMES, Operations, has_clock

Floats: TypeAlias = npt.NDArray[np.float64]

PANELS_MAX: Final = 5
_LEGEND_NAMES_MAX: Final = 24
_COLUMNS, _ROWS = 1400, 360  # the grid on which equal points are drawn once
_WINDOWS: Final = 80
_COLOURS: Final = {"ok": "#3d85c6", "fail": "#8c8c94", "info": "#dd7a1b"}
_MARKERS: Final = {"ok": "o", "fail": "x", "info": "^"}
_DASHES: Final[Mapping[str, Any]] = {"ok": "-", "fail": "--", "info": "-."}
_SIZES: Final = {"ok": 3.0, "fail": 12.0, "info": 14.0}
_CROWD: Final = 800  # so many points of one kind speak for themselves, small


def latency(ops: Operations, bands: Sequence[Band]) -> Picture | None:
    """How long operations took; None if no operation completed."""
    done = np.flatnonzero(ops.complete >= 0)
    if not len(done):
        return None
    clock = has_clock(ops.history)
    panels = _panels(ops, done)
    took = np.maximum((ops.end - ops.start)[done], 0 if clock else 1).astype(np.float64)
    floor = float(took[took > 0].min()) if (took > 0).any() else 1.0
    took = np.maximum(took, floor)
    low, high = floor, float(took.max())
    at = ops.end[done] / (1e9 if clock else 1.0)
    span = _span(ops, clock)

    def draw(theme: Theme) -> Figure:
        figure, axes = framed(theme, len(panels), 1.75, bands, span, clock)
        for axis, (label, member) in zip(axes, panels, strict=True):
            for outcome in ("ok", "fail", "info"):
                mine = member & (ops.outcome[done] == OUTCOMES.index(outcome))
                x, y = _thinned(at[mine], took[mine], span, (low, high))
                axis.scatter(
                    x,
                    y,
                    s=_SIZES[outcome] if len(x) <= _CROWD else min(_SIZES[outcome], 5.0),
                    c=_COLOURS[outcome],
                    marker=_MARKERS[outcome],
                    linewidths=0.8 if outcome == "fail" else 0,
                    alpha=0.75,
                    rasterized=True,
                    zorder=3,
                )
            good = member & (ops.outcome[done] == OK)
            _quantile_lines(axis, at[good], took[good], span, theme)
            axis.set_yscale("log")
            axis.set_ylim(low / 1.8, high * 1.8)
            axis.yaxis.set_major_locator(FixedLocator(_log_ticks(low, high)))
            axis.yaxis.set_minor_locator(NullLocator())
            axis.yaxis.set_major_formatter(FuncFormatter(_tick_duration if clock else plain_number))
            axis.set_title(label, loc="left", fontsize=10, color=theme.ink, pad=4)
        _legend(figure, theme, _present(ops, done), quantiles=True)
        return figure

    return Picture(draw, _latency_alt(ops, done, took, clock))


def rate(ops: Operations, bands: Sequence[Band]) -> Picture | None:
    """Completions per second by outcome; None if no operation completed."""
    done = np.flatnonzero(ops.complete >= 0)
    if not len(done):
        return None
    clock = has_clock(ops.history)
    span = _span(ops, clock)
    at = ops.end[done] / (1e9 if clock else 1.0)
    width = _bin_width(span, len(done))
    edges = np.arange(span[0], span[1] + width * 1.5, width)
    shown = _present(ops, done)
    rates = {
        outcome: np.histogram(at[ops.outcome[done] == OUTCOMES.index(outcome)], edges)[0] / width
        for outcome in shown
    }

    def draw(theme: Theme) -> Figure:
        figure, (axis,) = framed(theme, 1, 2.1, bands, span, clock)
        for outcome, values in rates.items():
            axis.stairs(
                values,
                edges,
                color=_COLOURS[outcome],
                linewidth=1.5,
                zorder=3,
                linestyle=_DASHES[outcome],
            )
            axis.stairs(values, edges, fill=True, color=_COLOURS[outcome], alpha=0.10, zorder=2)
        axis.set_ylim(0, max(float(values.max()) for values in rates.values()) * 1.12 or 1)
        axis.yaxis.set_major_locator(MaxNLocator(4))
        axis.yaxis.set_major_formatter(FuncFormatter(plain_number))
        unit = "completions per second" if clock else "completions per event"
        axis.set_title(unit, loc="left", fontsize=10, color=theme.ink, pad=4)
        _legend(figure, theme, shown, quantiles=False)
        return figure

    ok = rates.get("ok")
    usual = f"; ok: median {np.median(ok):,.0f} per second" if ok is not None and clock else ""
    return Picture(draw, f"Rate of completions over time by outcome{usual}.")


def _legend(figure: Figure, theme: Theme, outcomes: Sequence[str], *, quantiles: bool) -> None:
    handles: list[Line2D] = []
    meaning = {"ok": "ok", "fail": "fail", "info": "info (nobody knows)"}
    for outcome in outcomes:
        if quantiles:
            handles.append(
                Line2D(
                    [],
                    [],
                    linestyle="none",
                    marker=_MARKERS[outcome],
                    markersize=5.5,
                    color=_COLOURS[outcome],
                    label=meaning[outcome],
                )
            )
        else:
            handles.append(
                Line2D(
                    [],
                    [],
                    linestyle=_DASHES[outcome],
                    linewidth=1.6,
                    color=_COLOURS[outcome],
                    label=meaning[outcome],
                )
            )
    if quantiles and "ok" in outcomes:
        handles.append(Line2D([], [], color=theme.ink, linewidth=1.4, label="median of ok"))
        handles.append(
            Line2D([], [], color=theme.ink, linewidth=1, linestyle=":", label="99 % of ok")
        )
    height = float(figure.get_size_inches()[1])
    figure.legend(
        handles=handles,
        loc="upper right",
        ncols=len(handles),
        frameon=False,
        fontsize=9,
        labelcolor=theme.soft,
        bbox_to_anchor=(0.995, 1 - 0.02 / height),
        borderpad=0.2,
        handletextpad=0.5,
        columnspacing=1.4,
        handlelength=1.6,
    )


def _panels(ops: Operations, done: Any) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """The operations by `f`: the most frequent ones a panel each, the others together."""
    codes, sizes = np.unique(ops.f[done], return_counts=True)
    ranked = [int(code) for code in codes[np.argsort(-sizes, kind="stable")]]
    alone = ranked if len(ranked) <= PANELS_MAX else ranked[: PANELS_MAX - 1]
    names = ops.history.f_names
    panels = [
        (_labels.clip(_labels.visible(names[code]), _LEGEND_NAMES_MAX), ops.f[done] == code)
        for code in alone
    ]
    rest = ranked[len(alone) :]
    if rest:
        panels.append((f"{len(rest)} other operations", np.isin(ops.f[done], rest)))
    return panels


def _present(ops: Operations, done: Any) -> list[str]:
    present = set(np.unique(ops.outcome[done]).tolist())
    return [outcome for outcome in ("ok", "fail", "info") if OUTCOMES.index(outcome) in present]


def _span(ops: Operations, clock: bool) -> tuple[float, float]:
    """The whole history, never of no width."""
    time = ops.history.time
    scale = 1e9 if clock else 1.0
    first, last = float(time[0]) / scale, float(time[-1]) / scale
    return (first, last) if last > first else (first, first + (1e-3 if clock else 1.0))


def _thinned(
    x: Floats, y: Floats, span: tuple[float, float], heights: tuple[float, float]
) -> tuple[Floats, Floats]:
    """One point for every spot of the picture that has any; outliers have their own spot."""
    if len(x) <= 500:
        return x, y
    low, high = math.log(heights[0]), math.log(max(heights[1], heights[0] * 1.001))
    column = ((x - span[0]) / (span[1] - span[0]) * (_COLUMNS - 1)).astype(np.int64)
    row = ((np.log(y) - low) / (high - low) * (_ROWS - 1)).astype(np.int64)
    _, first = np.unique(column * _ROWS + row, return_index=True)
    return x[first], y[first]


def _quantile_lines(
    axis: Any, x: Floats, y: Floats, span: tuple[float, float], theme: Theme
) -> None:
    """Median and 99th percentile in windows of equal time, where a window has enough points."""
    windows = min(_WINDOWS, len(x) // 12)
    if windows < 2:
        return
    slot = np.minimum(((x - span[0]) / (span[1] - span[0]) * windows).astype(int), windows - 1)
    order = np.lexsort((y, slot))
    ranked, bounds = y[order], np.searchsorted(slot[order], np.arange(windows + 1))
    first, size = bounds[:-1], np.diff(bounds)
    middle = span[0] + (np.arange(windows) + 0.5) / windows * (span[1] - span[0])
    for share, style, width in ((0.5, "-", 1.3), (0.99, ":", 1.0)):
        values = np.full(windows, np.nan)
        full = size >= 5
        values[full] = ranked[(first + ((size - 1) * share).astype(int))[full]]
        axis.plot(middle, values, color=theme.ink, linewidth=width, linestyle=style, zorder=4)


def _bin_width(span: tuple[float, float], points: int) -> float:
    """A round width (1, 2 or 5 times a power of ten) that gives about 100 bins."""
    rough = (span[1] - span[0]) / max(min(120, points // 4), 4)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)


def _log_ticks(low: float, high: float) -> list[float]:
    """About five: powers of ten, or 1, 2 and 5 times them where the range is narrow."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if math.log10(high / low) < 1.5:
        return [step * 10.0**power for power in range(first, last + 1) for step in (1, 2, 5)]
    return [10.0**power for power in range(first, last + 1, max(1, (last - first) // 5))]


def _tick_duration(value: float, _position: int | None = None) -> str:
    return _labels.duration(value)


def _latency_alt(ops: Operations, done: Any, took: Floats, clock: bool) -> str:
    good = took[ops.outcome[done] == OK]
    if not clock or not len(good):
        return "Latency of operations over time, a panel for each kind of operation."
    median, tail = np.quantile(good, (0.5, 0.99))
    return (
        "Latency of operations over time on a logarithmic scale, a panel for each kind of "
        f"operation; of those that succeeded half took at most {_labels.duration(median)} "
        f"and 99 % at most {_labels.duration(tail)}."
    )
