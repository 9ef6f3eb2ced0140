"""A counter and the bounds of its reads: every outcome, and its nearest clean neighbour."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence import Counter, Keyed
from histories import Event, History, Op
from tests.checker.drawing import drawn
from tests.evidence.outcomes import why

CASES: dict[str, tuple[str, list[tuple[int, int, int]]]] = {
    "the sum": ("0 |-add 1-| |-add 2-| |-read 3-|", []),
    "an increment is missing": ("0 |-add 1-| |-add 2-| |-read 1-|", [(3, 1, 3)]),
    "more than was added": ("0 |-add 1-| |-add 2-| |-read 4-|", [(3, 4, 3)]),
    "an increment in doubt counts": ("0 |-add 1-... |-read 1-|", []),
    "an increment in doubt need not count": ("0 |-add 1-... |-read 0-|", []),
    "an increment in doubt counts once": ("0 |-add 1-... |-read 2-|", [(0, 2, 1)]),
    "a failed increment does not count": ("0 |-add 1-x |-read 1-|", [(0, 1, 0)]),
    "without a failed increment": ("0 |-add 1-x |-add 2-| |-read 2-|", []),
    "an increment during the read may be seen": (
        """
        0 |---add 1---|
        1     |-read 1-|
        """,
        [],
    ),
    "an increment during the read may be missed": (
        """
        0 |---add 1---|
        1     |-read 0-|
        """,
        [],
    ),
    "an increment that ends as the read begins may be missed": (
        """
        0 |-add 1-|
        1         |-read 0-|
        """,
        [],
    ),
    "an increment that ended before the read began may not": (
        """
        0 |-add 1-|
        1          |-read 0-|
        """,
        [(1, 0, 1)],
    ),
    "an increment from the future": (
        """
        0            |-add 1-|
        1 |-read 1-|
        """,
        [(0, 1, 0)],
    ),
    "an increment that begins as the read ends": (
        """
        0          |-add 1-|
        1 |-read 1-|
        """,
        [],
    ),
    "a decrement": ("0 |-add 5-| |-add -2-| |-read 3-|", []),
    "a decrement is missing": ("0 |-add 5-| |-add -2-| |-read 5-|", [(3, 5, 3)]),
    "a decrement in doubt": (
        """
        0 |-add 5-| |-add -2-...
        1                        |-read 5-| |-read 3-|
        """,
        [],
    ),
    "a read in doubt tells nothing": ("0 |-add 1-| |-read 9-...", []),
    "a failed read tells nothing": ("0 |-add 1-| |-read 1-| |-read 9-x", []),
}


@pytest.mark.parametrize("name", CASES)
def test_reads_are_within_bounds_or_not(name: str) -> None:
    drawing, errors = CASES[name]
    verdict = Counter().check(drawn(drawing))
    found = [(e["lower"], e["value"], e["upper"]) for e in verdict.details["errors"]]
    assert found == errors
    if errors:
        assert (verdict.valid, len(verdict.counterexamples)) == (False, 1)
    elif "read in doubt" not in name and "failed" not in name:
        assert verdict.valid is True


def test_it_begins_where_one_says() -> None:
    assert Counter(initial=10).check(drawn("0 |-add 1-| |-read 11-|")).valid is True
    assert Counter().check(drawn("0 |-add 1-| |-read 11-|")).valid is False


@pytest.mark.parametrize("drawing", ["0 |-add 1-|", "0 |-read 0-|", "0 |-add 1-| |-read 1-..."])
def test_without_reads_or_additions_there_is_no_verdict(drawing: str) -> None:
    assert why(Counter().check(drawn(drawing))) == "vacuous"


@pytest.mark.parametrize("value", ['"a"', "1.5", "null", "12345678901234567890"])
def test_what_is_no_integer_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"event 0: add of .*; a counter holds integers"):
        Counter().check(drawn(f"0 |-add {value}-| |-read 1-|"))


def test_the_worst_read_is_told() -> None:
    verdict = Counter().check(drawn("0 |-add 1-| |-read 0-| |-read 9-|"))
    [found] = verdict.counterexamples
    assert found.details == {"lower": 1, "value": 9, "upper": 1}
    assert "read 9 by process 0" in found.sentence
    assert "is more than there can be: by then the counter was at most 1" in found.sentence
    assert verdict.details["error_max"] == 8


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "read"]),
        st.integers(-3, 5),
        st.sampled_from(["ok", "ok", "fail", "info"]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=14,
)


@given(STEPS)
def test_it_counts_as_the_definitions_read(steps: list[tuple[Any, ...]]) -> None:
    ops: list[Op] = []
    waiting: list[tuple[int, Op]] = []
    for process, (f, value, type, lasts) in enumerate(steps):
        ops.append(Op(f, value if f == "add" else None, process=process))
        waiting.append((process + lasts, Op(f, value, process=process, type=type)))
        ops += [op for until, op in waiting if until <= process]
        waiting = [each for each in waiting if each[0] > process]
    history = History.from_ops([*ops, *(op for _, op in waiting)])
    events = list(history)
    pairs = [(b, events[history.pairs[n]]) for n, b in enumerate(events) if b.type == "invoke"]
    expected = []
    for b, e in pairs:
        if b.f != "read" or e.type != "ok":
            continue
        lower = upper = 0
        for add, end in pairs:
            if add.f != "add" or end.type == "fail":
                continue
            must = end.type == "ok" and end.index < b.index
            may = add.index <= e.index
            lower += add.value if (must if add.value > 0 else may) else 0
            upper += add.value if (may if add.value > 0 else must) else 0
        if not lower <= e.value <= upper:
            expected.append((b.index, lower, e.value, upper))
    found = Counter().check(history).details["errors"]
    assert [(x["operation"], x["lower"], x["value"], x["upper"]) for x in found] == expected


def among(*often: Any, but: list[Any]) -> st.SearchStrategy[Any]:
    """One of these, nine times out of ten; `but` sometimes another."""
    return st.sampled_from([*often] * 9 + but * len(often))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "read"]),
            st.integers(-2, 3),
            among(0, but=[1]),
            st.sampled_from([None, "x"]),
            among("ok", but=["info", "fail"]),
            st.integers(0, 9),
            st.integers(0, 3),
            among(False, but=[True]),
        ),
        min_size=6,
        max_size=16,
    ),
    among(True, but=[False]),
)
def test_keys_cleared_at_once_are_those_that_are_valid(told: list[Any], timed: bool) -> None:
    """Most reads answer what had been added before they began; some, a little more."""
    steps: list[Any] = []
    for process, (f, amount, lie, key, outcome, begin, length, astray) in enumerate(told):
        value = amount
        if f == "read":
            value = lie + sum(
                other[1]
                for other in told
                if (other[0], other[3], other[4]) == ("add", key, "ok")
                and other[5] + other[6] < begin
            )
        asked = value if f == "add" else None
        steps.append((begin, 0, process, "invoke", f, key, asked, False))
        steps.append((begin + length, 1, process, outcome, f, key, value, astray))
    steps.sort(key=lambda step: step[:2])
    history = History.from_events(
        Event(n, at if timed else 0, process, kind, f, key, value)
        for n, (at, _, process, kind, f, key, value, _) in enumerate(steps)
    )
    # No file says so, but whoever makes columns of their own may.
    no_key = np.array([step[-1] for step in steps], dtype=bool)
    history = replace(history, key=np.where(no_key, np.int32(-1), history.key))
    quick, slow = (Keyed(Counter(), quick=quick).check(history) for quick in (True, False))
    assert msgspec.structs.replace(quick, seconds=0, parts={}) == msgspec.structs.replace(
        slow, seconds=0, parts={}
    )
    assert quick.parts.keys() == slow.parts.keys()


def test_most_keys_are_cleared_at_once() -> None:
    ops = []
    for key in range(20):
        for f, value in (("add", 1), ("read", 1 + (key == 7))):
            ops += [Op(f, 1 if f == "add" else None, process=0, key=key)]
            ops += [Op(f, value, process=0, key=key, type="ok")]
    history = History.from_ops(ops)
    found = Counter().cleared(history)
    assert found is not None
    assert [history.key_of(code) for code in (~found.keys[:-1]).nonzero()[0].tolist()] == [7]
