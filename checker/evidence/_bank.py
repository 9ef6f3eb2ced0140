"""Does money appear or vanish, and is an account ever overdrawn?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from checker._verdict import Counterexample, Verdict
from checker.evidence._checker import (
    SHOWN_MAX,
    counterexample,
    described,
    operations,
    shown,
    vacuous,
    verdict,
)
from checker.evidence._numbers import bytes_of, integers_at
from histories import History, Json, Texts, canonical

_CHUNK_BYTES: Final = 16 << 20

_KINDS: Final = ("unexpected-key", "missing-key", "nil-balance", "wrong-total", "negative-value")
_SENTENCES: Final = {
    "unexpected-key": "There are accounts that nobody opened",
    "missing-key": "An account is gone",
    "nil-balance": "An account has no balance",
    "wrong-total": "Money appeared or vanished",
    "negative-value": "An account is overdrawn",
}


@dataclass(frozen=True)
class Bank:
    """Every read of all accounts has the same total, and no balance below 0.

    ``transfer`` has the value ``{"from": a, "to": b, "amount": n}``; ``read`` answers all
    balances, ``{account: balance}``, or those of the accounts that its invocation names (of
    which no total is asked).  `accounts` and `total` are what the bank began with; by default
    they are those of most reads, so that one read which differs is wrong.

    Stricter than Jepsen: an account that is missing is told as such, not only by its total, and
    a read with a wrong total and an overdrawn account counts as both.  A bank in which no money
    moved shows nothing.
    """

    accounts: tuple[str, ...] | None = None
    total: int | float | None = None
    negative_balances: bool = False

    @property
    def name(self) -> str:
        return "bank"

    def check(self, history: History) -> Verdict:
        """The verdict; `details` has count, first, last and worst read of each kind of trouble.

        Raises `ValueError` where a read answered something else than balances.
        """
        began = time.perf_counter()
        reads = operations(history, "read")
        reads = reads.where(reads.ok)
        reads = reads.where(history.value[reads.completed] >= 0)
        asked = history.value[reads.invoked]
        names_some = np.array(
            [text not in (b"[]", b"{}") for text in _some(history, asked)] + [False]
        )
        partial = names_some[np.searchsorted(np.unique(asked), asked)] & (asked >= 0)
        code = history.value[reads.completed]
        distinct, which = np.unique(code, return_inverse=True)
        whole = np.zeros(len(distinct), dtype=bool)
        whole[which[~partial]] = True
        times = np.bincount(which[~partial], minlength=len(distinct))
        books = _Books.of(history.values, distinct, times, self.accounts)
        total = self.total
        if total is None:
            total = books.usual_total(times)
        troubles = {
            "unexpected-key": books.unexpected,
            "missing-key": books.missing,
            "nil-balance": books.nil,
            "wrong-total": (books.total != total) & ~books.unexpected & ~books.missing & ~books.nil,
            "negative-value": books.least < 0,
        }
        if self.negative_balances:
            troubles["negative-value"] = np.zeros(len(distinct), dtype=bool)
        details: dict[str, Any] = {"total": total, "accounts": list(books.accounts)}
        found: list[Counterexample] = []
        any_trouble = np.zeros(len(reads), dtype=bool)
        for kind in _KINDS:
            bad = troubles[kind][which]
            if kind in ("missing-key", "wrong-total"):
                bad = bad & ~partial
            any_trouble |= bad
            events = reads.completed[bad]
            if not len(events):
                continue
            distances = books.badness(kind, total)[which[bad]]
            worst = int(events[np.argmax(distances)])
            details[kind] = {
                "count": len(events),
                "first": int(history.index[events[0]]),
                "last": int(history.index[events[-1]]),
                "worst": int(history.index[worst]),
                "reads": [
                    {"at": int(history.time[event]), "balances": history.value_of(int(which_))}
                    for event, which_ in zip(events[:SHOWN_MAX], code[bad][:SHOWN_MAX], strict=True)
                ],
            }
            if kind == "wrong-total":
                totals = books.total[which[bad]]
                details[kind] |= {"lowest": min(totals.tolist()), "highest": max(totals.tolist())}
            sentence = (
                f"{_SENTENCES[kind]}: {described(history, int(events[0]))}, "
                f"{books.told(kind, int(which[bad][0]), total)}; {len(events)} reads are like it."
            )
            found.append(
                counterexample(
                    history, sentence, (events[0], worst), operation=int(reads.invoked[bad][0])
                )
            )
        moves = operations(history, "transfer")
        refused = history.values.code_of(b"false")
        moved = moves.doubtful | moves.ok
        if refused is not None:
            moved &= ~(moves.ok & (history.value[moves.told] == refused))
        details |= {
            "read_count": len(reads),
            "error_count": int(any_trouble.sum()),
            "transfers": {"attempted": len(moves), "acknowledged": int((moves.ok & moved).sum())},
        }
        nothing = None
        if not np.count_nonzero(~partial):
            nothing = vacuous(
                "No read of all accounts succeeded, so nobody knows what they hold.",
                "See why operations 'read' do not succeed.",
            )
        elif not moved.any():
            nothing = vacuous(
                "No transfer succeeded, so the balances never changed.",
                "See why operations 'transfer' do not succeed.",
            )
        return verdict(
            self.name,
            began=began,
            operations=len(reads) + len(moves),
            counterexamples=found,
            unknown=nothing,
            details=details,
        )


@dataclass(frozen=True)
class _Books:
    """What distinct reads say, by place in `codes`; all columns have shape `(n_codes,)`."""

    texts: Texts
    codes: npt.NDArray[Any]
    accounts: tuple[str, ...]
    total: npt.NDArray[Any]
    least: npt.NDArray[Any]
    unexpected: npt.NDArray[np.bool_]
    missing: npt.NDArray[np.bool_]
    nil: npt.NDArray[np.bool_]

    @staticmethod
    def of(
        texts: Texts,
        codes: npt.NDArray[Any],
        times: npt.NDArray[Any],
        accounts: tuple[str, ...] | None,
    ) -> _Books:
        """The reads with these codes, each of which was answered so many times."""
        if accounts is None:
            usual = texts.decoded(int(codes[np.argmax(times)])) if len(codes) else {}
            accounts = tuple(_balances(usual))
        n = len(codes)
        fits, total, least = np.zeros(n, bool), np.zeros(n, np.int64), np.zeros(n, np.int64)
        lengths = texts.offsets[codes + 1] - texts.offsets[codes]
        part = np.cumsum(lengths) // _CHUNK_BYTES
        data = bytes_of(texts)
        frame = canonical(dict.fromkeys(sorted(accounts), 0))
        for start, stop in _runs(part):
            some = slice(start, stop)
            fits[some], total[some], least[some] = _framed(
                data, texts.offsets[codes[some]], lengths[some], frame, len(accounts)
            )
        rest = np.flatnonzero(~fits)
        flags = np.zeros((3, n), dtype=bool)
        if len(rest):
            exact, lowest = total.astype(object), least.astype(object)
            expected = set(accounts)
            for place in rest.tolist():
                balances = _balances(texts.decoded(int(codes[place])))
                held = [held for held in balances.values() if held is not None]
                exact[place], lowest[place] = sum(held), min(held, default=0)
                flags[:, place] = (
                    not balances.keys() <= expected,
                    not expected <= balances.keys(),
                    len(held) < len(balances),
                )
            total, least = exact, lowest
        return _Books(texts, codes, accounts, total, least, *flags)

    def usual_total(self, times: npt.NDArray[Any]) -> Any:
        """The total of most reads; 0 if there are none."""
        whole = ~self.unexpected & ~self.missing & ~self.nil & (times > 0)
        if not whole.any():
            return 0
        totals, which = np.unique(self.total[whole], return_inverse=True)
        return totals.tolist()[np.argmax(np.bincount(which, weights=times[whole]))]

    def badness(self, kind: str, total: Any) -> npt.NDArray[Any]:
        """How bad each read is, for the kind of trouble."""
        if kind == "wrong-total":
            return np.asarray(np.abs(self.total - total))
        if kind == "negative-value":
            return np.asarray(-self.least)
        return np.zeros(len(self.codes), dtype=np.int64)

    def told(self, kind: str, place: int, total: Any) -> str:
        """What is wrong with a read, in words."""
        balances = self.texts.decoded(int(self.codes[place]))
        match kind:
            case "unexpected-key":
                return f"where {shown(sorted(set(balances) - set(self.accounts)))} is unknown"
            case "missing-key":
                return f"where {shown(sorted(set(self.accounts) - set(balances)))} is missing"
            case "nil-balance":
                return f"where {shown([a for a, n in balances.items() if n is None])} has null"
            case "wrong-total":
                return f"the total of which is {self.total[place]}, not {total}"
        return f"where {shown({a: n for a, n in balances.items() if n is not None and n < 0})}"


def _framed(
    data: npt.NDArray[np.uint8],
    start: npt.NDArray[Any],
    lengths: npt.NDArray[Any],
    frame: bytes,
    accounts: int,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which of these texts are `frame` with other integers in it, their sums and least ones.

    The texts must lie at `start` in `data`.  A backslash anywhere means that a quote may stand
    inside a string: then no text is said to fit.
    """
    n, nothing = len(start), np.zeros(len(start), dtype=np.int64)
    none = np.zeros(n, dtype=bool)
    if not n or not accounts or b"\\" in frame:
        return none, nothing, nothing
    offsets = np.cumsum(lengths) - lengths
    place = np.repeat(start - offsets, lengths) + np.arange(lengths.sum())
    joined = np.append(data[place], np.uint8(0))
    if np.any(joined == ord("\\")):
        return none, nothing, nothing
    quote_colon = (joined[:-1] == ord('"')) & (joined[1:] == ord(":"))
    at = np.flatnonzero(quote_colon) + 2
    at = np.minimum(at, len(joined) - 1)
    owner = np.searchsorted(offsets, at, side="right") - 1
    good, value, end = integers_at(joined, at)
    fits = np.bincount(owner, minlength=n) == accounts
    fits[owner[~good]] = False
    digits = np.bincount(owner, weights=end - at, minlength=n).astype(np.int64)
    bones = len(frame) - accounts
    fits &= lengths - digits == bones
    keep = np.ones(len(joined) - 1, dtype=np.int8)
    inside = fits[owner]
    edges = np.zeros(len(joined), dtype=np.int8)
    edges[at[inside]] += 1
    edges[end[inside]] -= 1
    keep[np.cumsum(edges[:-1], dtype=np.int8) > 0] = 0
    keep[~np.repeat(fits, lengths)] = 0
    skeleton = joined[:-1][keep == 1].reshape(-1, bones)
    expected = np.frombuffer(frame, dtype=np.uint8)
    zeros = np.flatnonzero((expected[:-2] == ord('"')) & (expected[1:-1] == ord(":"))) + 2
    same = (skeleton == np.delete(expected, zeros)).all(axis=1)
    fits[np.flatnonzero(fits)[~same]] = False
    sums, lowest = nothing.copy(), nothing.copy()
    chosen = value[fits[owner]].reshape(-1, accounts)
    sums[fits], lowest[fits] = chosen.sum(axis=1), chosen.min(axis=1)
    return fits, sums, lowest


def _runs(part: npt.NDArray[Any]) -> list[tuple[int, int]]:
    """Where each value of a sorted column begins and ends."""
    edges = np.flatnonzero(np.diff(part)) + 1
    bounds = [0, *edges.tolist(), len(part)]
    return [run for run in pairwise(bounds) if run[0] < run[1]]


def _some(history: History, asked: npt.NDArray[Any]) -> list[bytes]:
    return [history.values[code] if code >= 0 else b"[]" for code in np.unique(asked).tolist()]


def _balances(value: Json) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(
        balance is None or (isinstance(balance, int | float) and not isinstance(balance, bool))
        for balance in value.values()
    ):
        raise ValueError(
            f"a bank answers a read with {{account: balance}}, but here it is {shown(value)}"
        )
    return value
