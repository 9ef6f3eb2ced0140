"""What the postcards of a link say about it: is it clear, or troubled as promised?

`promise_of` gives for each kind of trouble the traffic that shows it, and the judge of what
was seen.  Whatever is too weak to be told from a usual network is refused here, by
ValueError: shares under 1 %, delays and holds under 20 ms, rates above what postcards can fill.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from histories import Json
from nemesis._postcards import HEADERS_BYTES, PER_S, Seen, Traffic, postcards_for, threshold
from nemesis.grudges import Link

CLEAR: Final = "clear"
PERCENT: Final = (1.0, 90.0)
LEAST_MS: Final = 20.0
DELAY_MS_MAX: Final = 10_000.0
HOLD_MS_MAX: Final = 2_000.0
KBIT_S: Final = (64.0, 8_000.0)
_RATE_SIZE: Final = 1372
_RATE_S: Final = 1.0
_OFFERED: Final = 4
"""Times the rate that postcards would fill if they could."""
_DELAY_COUNT: Final = 200

Judged: TypeAlias = dict[Link, tuple[str, Json]]


class Baseline:
    """How late the postcards of each link were when it was last seen clear.

    One-way delays contain the difference of two clocks, which drifts by some seconds a day and
    jumps when a host reboots; the sum over both directions contains no clock.
    """

    def __init__(self) -> None:
        self._clear: dict[Link, tuple[int, tuple[str, str]]] = {}
        self._now: dict[Link, tuple[int, tuple[str, str]]] = {}

    def start(self) -> None:
        """A new proof begins."""
        self._now = {}

    @property
    def known(self) -> bool:
        """Is there anything to hold a measurement against?"""
        return bool(self._clear)

    def note(self, link: Link, seen: Seen) -> None:
        """The least delay of this link in this proof counts."""
        if seen.least_ns is not None:
            before = self._now.get(link)
            least = seen.least_ns if before is None else min(before[0], seen.least_ns)
            self._now[link] = (least, seen.boots)

    def grown_ns(self, link: Link) -> tuple[int, int] | None:
        """By how much it and its return link are later than when clear; None if unknown.

        After a reboot only the sum over both is known: it is split in halves.
        """
        source, node = link
        back = (node, source)
        if not all(each in table for each in (link, back) for table in (self._clear, self._now)):
            return None
        there, here = (self._now[each][0] - self._clear[each][0] for each in (link, back))
        if any(self._now[each][1] != self._clear[each][1] for each in (link, back)):
            return (there + here) // 2, (there + here) // 2
        return there, here

    def keep(self, clear: set[Link]) -> None:
        """These links were clear in this proof: what was measured is the new baseline."""
        for link in clear & self._now.keys():
            if (link[1], link[0]) in clear:
                self._clear[link] = self._now[link]


Judge: TypeAlias = Callable[[Mapping[Link, Seen], Baseline], Judged]


def promise_of(kind: str, attributes: Mapping[str, float], peers: int) -> tuple[Traffic, Judge]:
    """The traffic that shows this trouble among so many peers, and the judge of it."""
    if kind == "packet-delay":
        return _delay(attributes)
    if kind == "packet-rate":
        return _rate(attributes, peers)
    if kind == "reset-connections":
        return Traffic(10, dial=True, delay_s=float(peers)), _dialled
    return _share(kind, attributes, peers)


_COUNTED: Final[Mapping[str, tuple[str, Callable[[Seen], int]]]] = {
    "packet-loss": ("lossy", lambda seen: seen.sent - seen.got),
    "packet-duplicate": ("duplicating", lambda seen: seen.copies),
    "packet-reorder": ("reordering", lambda seen: seen.overtaken),
    "packet-corrupt": ("corrupting", lambda seen: seen.spoilt),
}


def _share(kind: str, attributes: Mapping[str, float], peers: int) -> tuple[Traffic, Judge]:
    """A share of the packets is struck: counted, and held against the threshold."""
    percent = _within("percent", attributes["percent"], PERCENT, "%")
    hold_s = 0.0
    if kind == "packet-reorder":
        hold_s = _within("hold_ms", attributes["hold_ms"], (LEAST_MS, HOLD_MS_MAX), "ms") / 1e3
    count = postcards_for(percent / 100)
    limit = threshold(count, percent / 100)
    word, of = _COUNTED[kind]
    # One that is held back must be overtaken by the next few, or nobody would notice.
    per_s = max(PER_S, 5 * peers / hold_s) if hold_s else PER_S
    traffic = Traffic(count, per_s=per_s, linger_s=hold_s, raw=kind == "packet-corrupt")

    def judge(links: Mapping[Link, Seen], _baseline: Baseline) -> Judged:
        judged: Judged = {}
        for link, seen in links.items():
            struck = of(seen)
            numbers: Json = {"sent": seen.sent, word: struck, "from": limit}
            judged[link] = (_heard(seen) or (word if struck >= limit else CLEAR), numbers)
        return judged

    return traffic, judge


def _delay(attributes: Mapping[str, float]) -> tuple[Traffic, Judge]:
    """The least delay has grown; with jitter the delays are spread, too.

    Which of two directions is late follows from the clocks, and how many of the two are from
    the sum, which needs none; so clocks may drift by half the delay between two proofs.
    Of 200 delays even over a range of twice the jitter, the middle eight tenths span less than
    0.8 times the jitter with a probability far below 10^-20.
    """
    delay_ms, jitter_ms = attributes["delay_ms"], attributes["jitter_ms"]
    _within("delay_ms", delay_ms, (LEAST_MS, DELAY_MS_MAX), "ms")
    if jitter_ms < 0 or delay_ms - jitter_ms < LEAST_MS:
        raise ValueError(
            f"jitter_ms is at least 0 and at most delay_ms less {LEAST_MS:g} ms, so that the "
            f"delay shows; not {jitter_ms:g}"
        )
    least_ns = (delay_ms - jitter_ms) * 1e6
    spread_ns = 0.8 * jitter_ms * 1e6
    traffic = Traffic(
        _DELAY_COUNT, linger_s=2 * jitter_ms / 1e3, delay_s=(delay_ms + jitter_ms) / 1e3
    )

    def state(seen: Seen, grown: tuple[int, int]) -> str:
        here, back = grown
        if here + back < least_ns / 2:
            return CLEAR
        late = here + back >= 1.5 * least_ns or here >= back
        return "delayed" if late and (seen.spread_ns or 0) >= spread_ns else CLEAR

    def judge(links: Mapping[Link, Seen], baseline: Baseline) -> Judged:
        judged: Judged = {}
        first = not baseline.known
        for link, seen in links.items():
            baseline.note(link, seen)
        for link, seen in links.items():
            grown = baseline.grown_ns(link)
            if _heard(seen) or first:
                judged[link] = (_heard(seen) or CLEAR, None)
            elif grown is None:
                judged[link] = ("unknown", None)
            else:
                numbers: Json = {
                    "later_ms": round(grown[0] / 1e6, 1),
                    "both_ways_ms": round(sum(grown) / 1e6, 1),
                    "spread_ms": round((seen.spread_ns or 0) / 1e6, 1),
                }
                judged[link] = (state(seen, grown), numbers)
        return judged

    return traffic, judge


def _rate(attributes: Mapping[str, float], peers: int) -> tuple[Traffic, Judge]:
    """Postcards that would fill four times the rate arrive at the rate, at most.

    What a full bucket lets through at once is taken off first; a link that lets pass more than
    1.6 times the rate is clear, and less than 1.3 times it throttled, if enough was offered.
    """
    kbit_s = _within("kbit_s", attributes["kbit_s"], KBIT_S, "kbit/s")
    rate = kbit_s * 125
    wire = _RATE_SIZE + HEADERS_BYTES
    # A bucket full of packets must be small beside what is measured.
    count = max(math.ceil(_OFFERED * rate * _RATE_S / wire), 48)
    per_s = peers * max(_OFFERED * rate / wire, 1)
    traffic = Traffic(count, _RATE_SIZE, per_s=per_s, linger_s=0.3)

    def judge(links: Mapping[Link, Seen], _baseline: Baseline) -> Judged:
        judged: Judged = {}
        for link, seen in links.items():
            offered = seen.sent * wire / max(seen.sent_s, 1e-3)
            span_s = max(seen.span_ns / 1e9, 1e-3)
            taken = seen.got * wire
            passed = taken / span_s
            numbers: Json = {
                "offered_kbit_s": round(offered / 125),
                "passed_kbit_s": round(passed / 125),
            }
            slow = (taken - _BURST) / span_s <= 1.3 * rate
            if passed >= 1.6 * rate and not slow:
                word = CLEAR
            elif slow and offered >= 2 * rate and span_s >= _RATE_S / 3:
                word = "throttled"
            else:
                word = "unknown"
            judged[link] = (_heard(seen) or word, numbers)
        return judged

    return traffic, judge


def _dialled(links: Mapping[Link, Seen], _baseline: Baseline) -> Judged:
    """Postcards arrive, so the peer is there; what does a connection to it meet?"""
    words = {"answered": CLEAR, "reset": "reset", "silent": "silent"}
    return {
        link: (_heard(seen) or words.get(str(seen.dialled), "unknown"), seen.dialled)
        for link, seen in links.items()
    }


_BURST: Final = 8000 + _RATE_SIZE + HEADERS_BYTES


def _heard(seen: Seen) -> str | None:
    """Nothing can be said of a link on which nobody was heard."""
    if not seen.got and not seen.spoilt:
        return "silent"
    return None if seen.met else "unknown"


def _within(name: str, value: float, bounds: tuple[float, float], unit: str) -> float:
    least, most = bounds
    if not least <= value <= most:
        raise ValueError(
            f"{name} must be from {least:g} to {most:g} {unit}, so that it can be proven; "
            f"not {value:g}"
        )
    return float(value)
