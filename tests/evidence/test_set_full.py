"""The life of every element of a set: every outcome, and its nearest clean neighbour."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence import SetFull
from histories import History, Json, Op
from tests.checker.drawing import drawn
from tests.evidence.outcomes import kinds, why

CASES: dict[str, tuple[str, Any, dict[str, list[Json]]]] = {
    "seen ever since": (
        "0 |-add 1-| |-read [1]-| |-read [1]-|",
        True,
        {},
    ),
    "lost at once": (
        """
        0 |-add 1-| |-read [2]-|
        1 |-add 2-|
        """,
        False,
        {"lost": [1]},
    ),
    "lost after it was seen": (
        """
        0 |-add 1-| |-read [1,2]-| |-read [2]-|
        1 |-add 2-|
        """,
        False,
        {"lost": [1]},
    ),
    "stale: missed once, seen later": (
        "0 |-add 1-| |-read []-| |-read [1]-|",
        "stale",
        {"stale": [1]},
    ),
    "a read during the addition may miss it": (
        """
        0 |---add 1---|          |-read [1]-|
        1      |---read []---|
        """,
        True,
        {},
    ),
    "a read that begins as the addition ends may miss it": (
        """
        0 |---add 1---|           |-read [1]-|
        1             |-read []-|
        """,
        True,
        {},
    ),
    "a read that another read preceded may not miss what that one had": (
        """
        0 |------------add 1------------|   |-read [1]-|
        1     |-read [1]-| |-read []-|
        """,
        "stale",
        {"stale": [1]},
    ),
    "reads that overlap may differ": (
        """
        0 |------------add 1-------------|   |-read [1]-|
        1     |----read [1]----|
        2        |-read []-|
        """,
        True,
        {},
    ),
    "never read": (
        """
        0 |-add 1-| |-read [1]-|
        1                        |-add 2-|
        """,
        True,
        {"never_read": [2]},
    ),
    "in doubt and never seen": (
        """
        0 |-add 1-| |-read [1]-|
        1 |-add 2-...
        """,
        True,
        {"never_read": [2]},
    ),
    "in doubt, seen, and seen ever since": (
        """
        0 |-add 2-...
        1           |-read []-| |-read [2]-|
        """,
        True,
        {"recovered": [2]},
    ),
    "in doubt, seen, and then lost": (
        """
        0 |-add 2-...
        1 |-add 1-|  |-read [1,2]-| |-read [1]-|
        """,
        False,
        {"recovered": [2], "lost": [2]},
    ),
    "an element from nowhere": (
        "0 |-add 1-| |-read [1,7]-| |-read [1]-|",
        False,
        {"unexpected": [7]},
    ),
    "an element from the future": (
        """
        0 |-add 1-| |-read [1,2]-|             |-read [1,2]-|
        1                          |-add 2-|
        """,
        False,
        {"unexpected": [2]},
    ),
    "an element that is just being added": (
        """
        0 |-add 1-| |-read [1,2]-|             |-read [1,2]-|
        1                        |-add 2-|
        """,
        True,
        {},
    ),
    "a failed addition that is seen": (
        """
        0 |-add 1-| |-read [1,2]-|
        1 |-add 2-x
        """,
        False,
        {"unexpected": [2]},
    ),
    "a failed addition that is not seen": (
        """
        0 |-add 1-| |-read [1]-|
        1 |-add 2-x
        """,
        True,
        {},
    ),
    "twice in one read": (
        "0 |-add 1-| |-read [1,1]-| |-read [1]-|",
        False,
        {"duplicated": [1]},
    ),
    "a failed read tells nothing": (
        "0 |-add 1-| |-read []-x |-read [1]-|",
        True,
        {},
    ),
    "a read in doubt tells nothing": (
        "0 |-add 1-| |-read [1]-| |-read []-...",
        True,
        {},
    ),
    "null is an empty set": (
        """
        0 |-add 1-| |-read [1]-| |-read-|
        """,
        False,
        {"lost": [1]},
    ),
}


@pytest.mark.parametrize("linearizable", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_outcomes(name: str, linearizable: bool) -> None:
    drawing, valid, expected = CASES[name]
    verdict = SetFull(linearizable).check(drawn(drawing))
    if valid == "stale":
        valid = not linearizable
    assert (verdict.valid, kinds(verdict)) == (valid, expected)
    assert bool(verdict.counterexamples) is (valid is False)


@pytest.mark.parametrize(
    "drawing",
    [
        "0 |-add 1-|",
        "0 |-add 1-| |-read [1]-x",
        "0 |-read []-|",
        "0 |-add 1-... |-read []-|",
        "0 |-add 1-x |-read []-|",
    ],
)
def test_without_an_element_that_was_seen_there_is_no_verdict(drawing: str) -> None:
    verdict = SetFull().check(drawn(drawing))
    assert (verdict.valid, why(verdict)) == ("unknown", "vacuous")


def test_where_elements_are_removed_nothing_is_lost_for_sure() -> None:
    verdict = SetFull().check(drawn("0 |-add 1-| |-read [1]-| |-remove 1-| |-read []-|"))
    assert (verdict.valid, why(verdict)) == ("unknown", "harness")


def test_what_is_no_list_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the value of read of a set is 5; it has to be a list"):
        SetFull().check(drawn("0 |-add 1-| |-read 5-|"))


def test_latencies_are_from_known_to_stable_and_to_lost() -> None:
    def at(ms: float, f: str, value: Json, type: Any, process: int = 0) -> Op:
        return Op(f, value, None, type, process, int(ms * 1e6))

    history = History.from_ops(
        [
            *(at(0, "add", 1, "invoke"), at(10, "add", 1, "ok")),
            *(at(15, "read", None, "invoke"), at(16, "read", [], "ok")),
            *(at(20, "read", None, "invoke"), at(21, "read", [1], "ok")),
            *(at(30, "add", 2, "invoke"), at(40, "add", 2, "ok")),
            *(at(47, "read", None, "invoke"), at(48, "read", [1, 2], "ok")),
            *(at(50, "read", None, "invoke"), at(51, "read", [1], "ok")),
        ]
    )
    verdict = SetFull().check(history)
    assert verdict.details["stable_latencies_ms"]["0.5"] == pytest.approx(5, abs=1e-5)
    assert verdict.details["lost_latencies_ms"]["1"] == pytest.approx(7, abs=1e-5)
    [lost] = verdict.details["lost"]
    assert lost == {
        "element": 2,
        "known": 40_000_000,
        "last_present": 47_000_000,
        "last_absent": 50_000_000,
    }
    [found] = verdict.counterexamples
    assert "since add 2 by process 0 (ok at 0.040 s)" in found.sentence
    assert "at 0.050 s misses it" in found.sentence


# --- a slow oracle ---------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "read"]),
        st.integers(0, 3),
        st.sampled_from(["ok", "ok", "ok", "fail", "info"]),
        st.lists(st.integers(0, 5), max_size=5),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=14,
)


@given(STEPS)
def test_it_counts_as_the_definitions_read(steps: list[Any]) -> None:
    """`lasts` lets operations of several processes overlap."""
    history = _history(steps)
    verdict = SetFull().check(history)
    found = {
        kind: sorted(each["element"] for each in verdict.details[kind])
        for kind in ("lost", "stale", "never_read", "recovered", "unexpected", "duplicated")
    }
    assert found == _by_definition(history)


def _history(steps: list[Any]) -> History:
    ops: list[Op] = []
    waiting: list[tuple[int, Op]] = []
    for process, (f, element, type, answer, lasts) in enumerate(steps):
        ops.append(Op(f, element if f == "add" else None, process=process))
        value = answer if f == "read" and type == "ok" else ops[-1].value
        waiting.append((process + lasts, Op(f, value, process=process, type=type)))
        ops += [op for until, op in waiting if until <= process]
        waiting = [each for each in waiting if each[0] > process]
    return History.from_ops([*ops, *(op for _, op in waiting)])


def _by_definition(history: History) -> dict[str, list[Json]]:
    events = list(history)
    ops = [
        (event, events[history.pairs[n]])
        for n, event in enumerate(events)
        if event.type == "invoke"
    ]
    reads = [(b, e) for b, e in ops if b.f == "read" and e.type == "ok"]
    adds = [(b, e) for b, e in ops if b.f == "add"]
    found: dict[str, list[Json]] = {
        kind: []
        for kind in ("lost", "stale", "never_read", "recovered", "unexpected", "duplicated")
    }
    for x in range(6):
        tried = [b.index for b, e in adds if b.value == x and e.type != "fail"]
        acks = [e.index for b, e in adds if b.value == x and e.type == "ok"]
        have = [(b.index, e.index) for b, e in reads if x in e.value]
        miss = [b.index for b, e in reads if x not in e.value]
        if any(Counter(e.value)[x] > 1 for _, e in reads):
            found["duplicated"].append(x)
        if have and min(end for _, end in have) < min(tried, default=10**9):
            found["unexpected"].append(x)
        if not tried:
            continue
        known = min([*acks, *(end for _, end in have)], default=10**9)
        last_have, last_miss = max((b for b, _ in have), default=-1), max(miss, default=-1)
        if have and last_have > last_miss:
            if last_miss > known:
                found["stale"].append(x)
        elif last_miss > known:
            found["lost"].append(x)
        else:
            found["never_read"].append(x)
        if have and not acks:
            found["recovered"].append(x)
    return found
