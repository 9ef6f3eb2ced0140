"""What the run was: a few facts, and operations counted by what they did and how they ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from histories import History, Json
from reports import _labels
from reports._operations import OK, OUTCOMES, Operations, has_clock

_ROWS_MAX: Final = 20
_FACTS_MAX: Final = 40
_SHOWN_APART: Final = frozenset({"name", "test", "seed", "nodes"})


@dataclass(frozen=True)
class Tally:
    """One line of the table: counts in the order of `OUTCOMES`, latencies of the ok ones."""

    f: str
    counts: tuple[int, ...]
    median: str
    tail: str
    slowest: str

    @property
    def total(self) -> int:
        """All operations of this line."""
        return sum(self.counts)


@dataclass(frozen=True)
class Facts:
    """`facts` in the order to show them, `header` what else the run's header says."""

    test: str
    facts: tuple[tuple[str, str], ...]
    tallies: tuple[Tally, ...]
    header: tuple[tuple[str, str], ...]


def facts(history: History, ops: Operations, meta: Mapping[str, Json], faults: int) -> Facts:
    """Collect what is known; what is not known is left out."""
    listed: list[tuple[str, str]] = []
    if meta.get("seed") is not None:
        listed.append(("Seed", _labels.name(meta["seed"])))
    nodes = meta.get("nodes")
    if isinstance(nodes, list | tuple) and nodes:
        names = [_labels.name(node, 40) for node in nodes[:12]]
        more = f" and {len(nodes) - 12:,} more" if len(nodes) > 12 else ""
        listed.append(("Nodes", ", ".join(names) + more))
    elif history.node_names:
        names = [_labels.name(node, 40) for node in sorted(history.node_names)[:12]]
        listed.append(("Nodes seen", ", ".join(names)))
    time = history.time
    if has_clock(history):
        listed.append(("Duration", _labels.duration(int(time[-1]) - int(time[0]))))
    listed.append(("Events", _labels.count(len(history))))
    listed.append(("Operations", _labels.count(len(ops))))
    if len(ops):
        listed.append(("Processes", _labels.count(len(np.unique(ops.process)))))
        keys = np.unique(ops.key[ops.key >= 0])
        if len(keys):
            listed.append(("Keys", _labels.count(len(keys))))
    if faults:
        listed.append(("Faults", _labels.count(faults)))
    if history.source:
        listed.append(("History", _labels.clip(_labels.visible(str(history.source)), 200)))
    header = tuple(
        (_labels.name(key, 40), _labels.name(value, 300))
        for key, value in list(meta.items())[:_FACTS_MAX]
        if key not in _SHOWN_APART
    )
    test = meta.get("name") or meta.get("test") or ""
    return Facts(
        test=_labels.clip(_labels.visible(test), 120) if isinstance(test, str) else "",
        facts=tuple(listed),
        tallies=tallies(ops),
        header=header,
    )


def tallies(ops: Operations) -> tuple[Tally, ...]:
    """Counts by `f` and outcome, the most frequent `f` first; the last line sums up."""
    if not len(ops):
        return ()
    codes = np.unique(ops.f)
    sizes = [int((ops.f == code).sum()) for code in codes]
    ranked = [int(codes[place]) for place in np.argsort([-size for size in sizes], kind="stable")]
    names = ops.history.f_names
    lines = [
        _tally(ops, _labels.clip(_labels.visible(names[code]), 48), ops.f == code)
        for code in ranked[:_ROWS_MAX]
    ]
    rest = np.isin(ops.f, ranked[_ROWS_MAX:])
    if rest.any():
        lines.append(_tally(ops, f"{len(ranked) - _ROWS_MAX:,} others", rest))
    if len(lines) > 1:
        lines.append(_tally(ops, "all", np.ones(len(ops), dtype=bool)))
    return tuple(lines)


def _tally(
    ops: Operations, label: str, member: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> Tally:
    outcome = ops.outcome[member]
    counts = tuple(int((outcome == code).sum()) for code in range(len(OUTCOMES)))
    good = member & (ops.outcome == OK)
    if not good.any() or not has_clock(ops.history):
        return Tally(label, counts, "", "", "")
    took = (ops.end - ops.start)[good]
    median, tail, slowest = np.quantile(took, (0.5, 0.99, 1.0))
    return Tally(
        label,
        counts,
        _labels.duration(float(median)),
        _labels.duration(float(tail)),
        _labels.duration(float(slowest)),
    )
