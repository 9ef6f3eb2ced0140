"""When the system was being hurt: bands over the time axis.

They are the windows of `histories.fault_windows`, in words that fit into a picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from histories import History, Json, fault_windows
from reports import _labels


@dataclass(frozen=True)
class Band:
    """One fault: `stop` (ns) is None if nobody stopped it.

    `ordered` is when the nemesis set about it: it took effect between then and `start`.
    `sure` is False if the nemesis itself did not know whether the fault began; `proof`
    is what its receipt says (None: no receipt).
    """

    name: str
    start: int
    stop: int | None = None
    sure: bool = True
    targets: str = ""
    proof: bool | None = None
    ordered: int | None = None


def bands(history: History) -> tuple[Band, ...]:
    """Every fault of the history, in the order of their beginnings."""
    return tuple(
        Band(
            _labels.clip(_labels.visible(window.name[:64]), 32),
            window.start,
            window.stop,
            window.sure,
            _targets(window.value),
            _proof(window.value),
            window.ordered,
        )
        for window in fault_windows(history)
    )


def coalesced(found: Iterable[Band], gap_ns: int) -> tuple[Band, ...]:
    """Bands of the same fault that are too close to be told apart in a picture become one."""
    merged: dict[str, list[Band]] = {}
    for band in found:
        row = merged.setdefault(band.name, [])
        last = row[-1] if row else None
        if last and last.stop is not None and band.start - last.stop <= gap_ns:
            row[-1] = replace(last, stop=band.stop)
        else:
            row.append(band)
    return tuple(band for row in merged.values() for band in row)


def _targets(value: Json) -> str:
    """``n1, n2 (halves)``: whom it hit, and how they were chosen if the nemesis says so."""
    if not isinstance(value, dict):
        return ""
    targets, choice = value.get("targets"), value.get("kind") or value.get("choice")
    whom = "" if targets is None else _labels.name(targets, 80)
    if isinstance(targets, list):
        whom = _labels.clip(", ".join(_labels.name(node, 24) for node in targets[:12]), 80)
    how = f"({_labels.name(choice, 24)})" if isinstance(choice, str) else ""
    return f"{whom} {how}".strip()


def _proof(value: Json) -> bool | None:
    receipt = value.get("receipt") if isinstance(value, dict) else None
    proof = receipt.get("ok") if isinstance(receipt, dict) else None
    return proof if isinstance(proof, bool) else None
