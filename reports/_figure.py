"""The frame of a plot, and the two ways to draw it.

A figure has a lane per kind of fault on top and panels below, over one time axis.  It is
drawn for paper as a PNG on white, and for the page as an SVG whose colours are variables:
matplotlib draws with stand-in colours, which are exchanged for CSS variables that follow
the reader's light or dark theme.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reports import _faults, _labels
from reports._faults import Band

_FAULT_LANES_MAX: Final = 5
_WIDTH_IN: Final = 10.4
_FAULT_COLOURS: Final = ("#b5508f", "#8a63c9", "#2a9d8f", "#b7791f", "#5d7fa3")


@dataclass(frozen=True)
class Theme:
    """Colours of text, of lesser text, of the grid, and of the ground."""

    ink: str
    soft: str
    grid: str
    paper: str


_PAPER: Final = Theme("#1d2126", "#5a626d", "#dde1e6", "#ffffff")
# Stand-ins that `_themed` exchanges for CSS variables; no other part uses these colours.
_SCREEN: Final = Theme("#0a0b0c", "#0d0e0f", "#101112", "none")
_THEME_CSS: Final = (
    "<style>svg{--ink:#1d2126;--soft:#5a626d;--grid:#dde1e6}"
    "@media (prefers-color-scheme:dark){svg{--ink:#e6e8eb;--soft:#a2abb6;--grid:#353b43}}"
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif}</style>"
)
_RC: Final[Any] = {
    "text.parse_math": False,  # a `$` in a name is a dollar sign
    "text.usetex": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "momus",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.unicode_minus": False,
    "path.simplify": True,
}


@dataclass(frozen=True)
class Picture:
    """A figure that can be drawn for paper (PNG) and for the page (SVG in a data URI)."""

    draw: Callable[[Theme], Figure]
    alt: str

    def png(self, dpi: int = 120) -> bytes:
        """The picture on white."""
        with mpl.rc_context(_RC), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a glyph the font lacks is drawn as a box
            figure = self.draw(_PAPER)
            out = io.BytesIO()
            figure.savefig(out, format="png", dpi=dpi, metadata={"Software": None})
        return out.getvalue()

    def data_uri(self) -> str:
        """The picture as an SVG image; an image can run no script, whatever its labels say."""
        with mpl.rc_context(_RC), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            figure = self.draw(_SCREEN)
            out = io.StringIO()
            figure.savefig(out, format="svg", dpi=160, metadata={"Date": None, "Creator": None})
        # The bitmap within is base64 already; to encode it so once more would cost a third.
        return "data:image/svg+xml," + quote(_themed(out.getvalue()), safe="/+=:;,.() -")


def framed(
    theme: Theme,
    panels: int,
    panel_in: float,
    bands: Sequence[Band],
    span: tuple[float, float],
    clock: bool,
) -> tuple[Figure, list[Any]]:
    """Panels over one time axis, below a lane per kind of fault; all sizes in inches."""
    scale = 1e9 if clock else 1.0
    merged = _faults.coalesced(bands, int((span[1] - span[0]) * scale / 600))
    names = list(dict.fromkeys(band.name for band in merged))[:_FAULT_LANES_MAX]
    lanes_in = 0.22 * len(names) + (0.12 if names else 0)
    top, bottom, between = 0.42, 0.46, 0.34
    height = top + lanes_in + panels * panel_in + (panels - 1) * between + bottom + 0.22
    figure = Figure(figsize=(_WIDTH_IN, height), dpi=120, facecolor=theme.paper)
    left, width = 0.085, 0.905

    def axes_at(y_in: float, height_in: float) -> Any:
        return figure.add_axes((left, y_in / height, width, height_in / height), facecolor="none")

    y = height - top
    lane_axis = None
    if names:
        y -= lanes_in
        lane_axis = axes_at(y + 0.06, lanes_in - 0.06)
    axes: list[Any] = []
    for _ in range(panels):
        y -= 0.22 if not axes else between
        y -= panel_in
        axes.append(axes_at(y, panel_in))
    for axis in axes:
        _dress(axis, theme, span)
        axis.tick_params(labelbottom=axis is axes[-1])
    axes[-1].set_xlabel(
        "seconds since the run began" if clock else "events (the history has no times)",
        color=theme.soft,
        fontsize=9,
        labelpad=2,
    )
    for band in merged:
        if band.name not in names:
            continue
        row = names.index(band.name)
        stop = span[1] if band.stop is None else band.stop / scale
        start = max(band.start / scale, span[0])
        colour = _FAULT_COLOURS[row % len(_FAULT_COLOURS)]
        for axis in axes:
            axis.axvspan(start, stop, color=colour, alpha=0.11, linewidth=0, zorder=0)
        if lane_axis is not None:
            if band.ordered is not None:
                began = max(band.ordered / scale, span[0])
                lane_axis.barh(row, start - began, left=began, height=0.16, color=colour, alpha=0.6)
            lane_axis.barh(
                row,
                max(stop - start, (span[1] - span[0]) / 900),
                left=start,
                height=0.62,
                color=colour if band.sure else "none",
                edgecolor=colour,
                linewidth=0.8,
                alpha=0.9,
                hatch=None if band.sure else "////",
            )
    if lane_axis is not None:
        _dress_lanes(lane_axis, theme, span, names)
    return figure, axes


def _dress(axis: Any, theme: Theme, span: tuple[float, float]) -> None:
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color(theme.grid)
    axis.grid(axis="y", color=theme.grid, linewidth=0.7, zorder=0)
    axis.set_axisbelow(True)
    axis.tick_params(colors=theme.soft, labelcolor=theme.soft, length=0, labelsize=9)
    axis.set_xlim(*span)
    axis.xaxis.set_major_locator(MaxNLocator(10))
    axis.xaxis.set_major_formatter(FuncFormatter(plain_number))


def _dress_lanes(axis: Any, theme: Theme, span: tuple[float, float], names: list[str]) -> None:
    for side in ("top", "right", "left", "bottom"):
        axis.spines[side].set_visible(False)
    axis.set_xlim(*span)
    axis.set_ylim(len(names) - 0.45, -0.55)
    axis.set_yticks(range(len(names)), [_labels.clip(_labels.visible(n), 12) for n in names])
    axis.tick_params(colors=theme.soft, labelcolor=theme.ink, length=0, labelsize=9)
    axis.set_xticks([])


def plain_number(value: float, _position: int | None = None) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.6g}"


def _themed(svg: str) -> str:
    """The drawing with its stand-in colours exchanged for variables of the theme."""
    for stand_in, variable in (
        (_SCREEN.ink, "var(--ink)"),
        (_SCREEN.soft, "var(--soft)"),
        (_SCREEN.grid, "var(--grid)"),
    ):
        svg = svg.replace(f": {stand_in}", f": {variable}")
    start = svg.index("<svg")
    end = svg.index(">", start) + 1
    return svg[start:end] + _THEME_CSS + svg[end:]
