"""Queues without an order: every outcome, and its nearest clean neighbour."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence import Queue, TotalQueue
from histories import History, Json, Op
from tests.checker.drawing import drawn
from tests.evidence.outcomes import kinds, why

QUEUE: dict[str, tuple[str, bool, dict[str, list[Json]]]] = {
    "what went in came out": (
        """
        0 |-enqueue 1-| |-dequeue>1-|
        """,
        True,
        {},
    ),
    "what nobody put in came out": (
        "0 |-enqueue 1-| |-dequeue>2-|",
        False,
        {"unexpected": [2]},
    ),
    "what was put in in doubt came out": (
        "0 |-enqueue 1-... |-dequeue>1-|",
        True,
        {},
    ),
    "what was certainly not put in came out": (
        "0 |-enqueue 1-x |-dequeue>1-|",
        False,
        {"unexpected": [1]},
    ),
    "one came out twice": (
        "0 |-enqueue 1-| |-dequeue>1-| |-dequeue>1-|",
        False,
        {"duplicated": [1]},
    ),
    "two came out twice": (
        "0 |-enqueue 1-| |-enqueue 1-| |-dequeue>1-| |-dequeue>1-|",
        True,
        {},
    ),
    "it came out before it was put in": (
        """
        0                 |-enqueue 1-|
        1 |-dequeue>1-|
        """,
        False,
        {"early": [1]},
    ),
    "it came out while it was put in": (
        """
        0             |-enqueue 1-|
        1 |-dequeue>1-|
        """,
        True,
        {},
    ),
    "the second came out before it was put in": (
        """
        0 |-enqueue 1-|                               |-enqueue 1-|
        1               |-dequeue>1-| |-dequeue>1-|
        """,
        False,
        {"early": [1]},
    ),
    "nothing has to come out": (
        "0 |-enqueue 1-| |-enqueue 2-| |-dequeue>2-|",
        True,
        {},
    ),
    "an empty queue answers null": (
        "0 |-dequeue>null-| |-enqueue 1-| |-dequeue>1-|",
        True,
        {},
    ),
    "a drain brings many": (
        "0 |-enqueue 1-| |-enqueue 2-| |-drain>[2,1]-|",
        True,
        {},
    ),
    "a drain brings one that came out before": (
        "0 |-enqueue 1-| |-dequeue>1-| |-drain>[1]-|",
        False,
        {"duplicated": [1]},
    ),
    "a drain brings what nobody put in": (
        "0 |-enqueue 1-| |-drain>[1,3]-|",
        False,
        {"unexpected": [3]},
    ),
    "a dequeue in doubt or failed brings nothing": (
        """
        0 |-enqueue 1-| |-dequeue>1-|
        1 |-dequeue>1-...
        2 |-dequeue>1-x
        """,
        True,
        {},
    ),
}


@pytest.mark.parametrize("name", QUEUE)
def test_what_comes_out_comes_from_somewhere(name: str) -> None:
    drawing, valid, expected = QUEUE[name]
    verdict = Queue().check(drawn(drawing))
    assert (verdict.valid, kinds(verdict)) == (valid, expected)
    assert bool(verdict.counterexamples) is (valid is False)


def test_where_nothing_came_out_there_is_no_verdict() -> None:
    assert why(Queue().check(drawn("0 |-enqueue 1-| |-dequeue>null-|"))) == "vacuous"


TOTAL: dict[str, tuple[str, Any, dict[str, list[Json]]]] = {
    "everything came out": (
        "0 |-enqueue 1-| |-dequeue>1-| |-dequeue>null-|",
        True,
        {},
    ),
    "one is lost": (
        "0 |-enqueue 1-| |-enqueue 2-| |-dequeue>1-| |-dequeue>null-|",
        False,
        {"lost": [2]},
    ),
    "a refusal shows that the queue is empty": (
        "0 |-enqueue 1-| |-enqueue 2-| |-dequeue>1-| |-dequeue-x",
        False,
        {"lost": [2]},
    ),
    "a drain shows that the queue is empty": (
        "0 |-enqueue 1-| |-enqueue 2-| |-drain>[1]-|",
        False,
        {"lost": [2]},
    ),
    "nobody looked whether the queue was empty": (
        "0 |-enqueue 1-| |-enqueue 2-| |-dequeue>1-|",
        "vacuous",
        {"never_read": [2]},
    ),
    "it was put in after the queue was empty": (
        "0 |-enqueue 1-| |-dequeue>1-| |-dequeue>null-| |-enqueue 2-|",
        "vacuous",
        {"never_read": [2]},
    ),
    "it was put in while the queue was found empty": (
        """
        0 |-enqueue 1-| |-dequeue>1-| |-dequeue>null-|
        1                                |-enqueue 2-|
        """,
        "vacuous",
        {"never_read": [2]},
    ),
    "what was put in in doubt need not come out": (
        "0 |-enqueue 1-| |-enqueue 2-... |-dequeue>1-| |-dequeue>null-|",
        True,
        {},
    ),
    "what was put in in doubt came out": (
        "0 |-enqueue 2-... |-dequeue>2-| |-dequeue>null-|",
        True,
        {"recovered": [2]},
    ),
    "what nobody put in came out": (
        "0 |-enqueue 1-| |-drain>[1,2]-|",
        False,
        {"unexpected": [2]},
    ),
    "what came out twice is told": (
        "0 |-enqueue 1-| |-dequeue>1-| |-drain>[1]-|",
        True,
        {"duplicated": [1]},
    ),
    "a dequeue in doubt may have taken it": (
        """
        0 |-enqueue 1-| |-enqueue 2-| |-dequeue>1-|   |-dequeue>null-|
        1                               |-dequeue-...
        """,
        "harness",
        {"lost": [2]},
    ),
    "one dequeue in doubt cannot have taken two": (
        """
        0 |-enqueue 1-| |-enqueue 2-| |-enqueue 3-| |-dequeue>1-|   |-dequeue>null-|
        1                                             |-dequeue-...
        """,
        False,
        {"lost": [2, 3]},
    ),
    "a drain in doubt may have taken all": (
        """
        0 |-enqueue 1-| |-enqueue 2-|             |-drain>[]-|
        1                             |-drain-...
        """,
        "harness",
        {"lost": [1, 2]},
    ),
    "two put in, one came out": (
        "0 |-enqueue 1-| |-enqueue 1-| |-dequeue>1-| |-dequeue>null-|",
        False,
        {"lost": [1]},
    ),
    "of two one was put in too late, and one came out": (
        "0 |-enqueue 1-| |-dequeue>1-| |-dequeue>null-| |-enqueue 1-|",
        "vacuous",
        {"never_read": [1]},
    ),
}


@pytest.mark.parametrize("name", TOTAL)
def test_what_goes_in_comes_out(name: str) -> None:
    drawing, valid, expected = TOTAL[name]
    verdict = TotalQueue().check(drawn(drawing))
    told = why(verdict) if verdict.valid == "unknown" else verdict.valid
    assert (told, kinds(verdict)) == (valid, expected)
    assert bool(verdict.counterexamples) is (valid is False)


def test_once_means_that_nothing_comes_out_twice() -> None:
    history = drawn(TOTAL["what came out twice is told"][0])
    assert TotalQueue(once=True).check(history).valid is False


def test_a_dequeue_in_doubt_takes_nothing_where_one_says_so() -> None:
    history = drawn(TOTAL["a dequeue in doubt may have taken it"][0])
    assert TotalQueue(doubtful_take=False).check(history).valid is False


def test_the_sentence_tells_what_was_lost_and_what_shows_it() -> None:
    [found] = TotalQueue().check(drawn(TOTAL["one is lost"][0])).counterexamples
    assert "The element 2 is lost: enqueue 2 by process 0" in found.sentence
    assert [(event.f, event.type, event.value) for event in found.operations] == [
        ("enqueue", "invoke", 2),
        ("enqueue", "ok", 2),
        ("dequeue", "invoke", None),
        ("dequeue", "ok", None),
    ]


def test_null_is_no_element() -> None:
    with pytest.raises(ValueError, match=r"event 0: enqueue of null"):
        TotalQueue().check(drawn("0 |-enqueue null-| |-dequeue>null-|"))


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=40),
    st.integers(1, 4),
    st.integers(0, 10**6),
)
def test_as_many_troubles_are_found_as_were_planted(put: list[int], drains: int, seed: int) -> None:
    """Some elements are kept back, some given twice, and some come from nowhere."""
    lost = [x for x in put if (x + seed) % 5 == 0]
    twice = [x for x in put if (x + seed) % 5 == 1]
    alien = [f"alien {n}" for n in range(seed % 3)]
    out: list[Json] = [*(x for x in put if x not in lost), *twice, *alien]
    ops = [op for x in put for op in (Op("enqueue", x), Op("enqueue", x, type="ok"))]
    for n in range(drains):
        ops += [Op("drain"), Op("drain", out[n::drains], type="ok")]
    history = History.from_ops([_by_one(op) for op in ops])
    total, queue = TotalQueue().check(history), Queue().check(history)
    assert total.valid is not bool(lost or alien)
    assert Counter(kinds(total).get("lost", [])) == Counter(lost)
    assert queue.details["duplicated_count"] == total.details["duplicated_count"] == len(twice)
    assert queue.details["unexpected_count"] == total.details["unexpected_count"] == len(alien)
    if out:
        assert queue.valid is not bool(twice or alien)


def _by_one(op: Op) -> Op:
    return Op(op.f, op.value, None, op.type, 0)


# --- a slow oracle ---------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["enqueue", "dequeue"]),
        st.integers(0, 2),
        st.sampled_from(["ok", "ok", "ok", "fail", "info"]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=14,
)


@given(STEPS)
def test_a_queue_is_judged_as_its_definition_reads(steps: list[tuple[Any, ...]]) -> None:
    """`lasts` lets operations of several processes overlap."""
    ops: list[Op] = []
    waiting: list[tuple[int, Op]] = []
    for process, (f, element, type, lasts) in enumerate(steps):
        ops.append(Op(f, element if f == "enqueue" else None, process=process))
        waiting.append((process + lasts, Op(f, element, process=process, type=type)))
        ops += [op for until, op in waiting if until <= process]
        waiting = [each for each in waiting if each[0] > process]
    history = History.from_ops([*ops, *(op for _, op in waiting)])
    verdict = Queue().check(history)
    excess: Counter[Json] = Counter()
    events = list(history)
    tried: Counter[Json] = Counter()
    got: Counter[Json] = Counter()
    for position, event in enumerate(events):
        if event.f == "enqueue" and event.type == "invoke":
            if events[history.pairs[position]].type != "fail":
                tried[event.value] += 1
        elif event.f == "dequeue" and event.type == "ok":
            got[event.value] += 1
            ahead = got[event.value] - tried[event.value]
            excess[event.value] = max(excess[event.value], ahead)
    found: Counter[Json] = Counter()
    for kind in ("unexpected", "duplicated", "early"):
        for each in verdict.details[kind]:
            found[each["element"]] += each["times"]
    assert found == +excess
