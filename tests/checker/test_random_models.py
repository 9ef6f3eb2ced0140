"""Models drawn at random: any table of transitions is judged as its definition says.

The models that momus brings have structure that a search might come to rely on.  These have
none: from each state, each call leads anywhere or is illegal.  (Hypothesis)
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from checker import ILLEGAL, Call, Model, linearizable, verify
from histories import Event, History, Json
from tests.checker.bruteforce import defined_by, operations
from tests.checker.bruteforce import linearizable as by_definition

STATES = 4
Cell = tuple[int, str, Json, Json]
"""A state, and what is asked and answered there."""

cells = st.tuples(
    st.integers(0, STATES - 1), st.sampled_from("fg"), st.integers(0, 1), st.integers(0, 1)
)


@st.composite
def models(draw: st.DrawFn) -> Model:
    """A table with holes; what a doubtful call does depends on the state and the call only."""
    table: dict[Cell, int] = draw(st.dictionaries(cells, st.integers(0, STATES - 1), max_size=24))

    def step(state: Any, call: Call) -> Any:
        result = call.result if call.completed else 0
        return table.get((state, call.f, call.argument, result), ILLEGAL)

    return Model("drawn", 0, step)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Up to seven operations of up to three clients, some of which crash."""
    events: list[Event] = []
    busy: dict[int, tuple[str, Json]] = {}
    clients, begun = [0, 1, 2], 0
    for slot in draw(st.lists(st.integers(0, 2), max_size=14)):
        process = clients[slot]
        if process in busy:
            f, argument = busy.pop(process)
            kind: Any = draw(st.sampled_from(["ok", "ok", "ok", "info", "fail"]))
            value = draw(st.integers(0, 1)) if kind == "ok" else argument
            if kind == "info":
                clients[slot] += 3
        elif begun < 7:
            begun += 1
            kind, f, value = "invoke", draw(st.sampled_from("fg")), draw(st.integers(0, 1))
            busy[process] = (f, value)
        else:
            continue
        events.append(Event(len(events), len(events), process, kind, f, None, value))
    return History.from_events(events)


@settings(max_examples=150)
@given(models(), histories())
def test_any_model_is_judged_as_it_is_defined(model: Model, history: History) -> None:
    ops = operations(history)
    expected = by_definition(ops, defined_by(model), model.initial)
    verdict = linearizable(history, model)
    assert verdict.valid is expected
    if expected:
        assert verify(history, model, verdict.certificates) is None
    else:
        assert verdict.counterexamples


@settings(max_examples=30)
@given(models(), histories())
def test_giving_up_and_going_on_changes_no_verdict(model: Model, history: History) -> None:
    at_once = linearizable(history, model)
    hurried = linearizable(history, model, time_limit_s=1e-9)
    assert hurried.valid in (at_once.valid, "unknown")
