"""What goes in comes out: events, JSONL and Parquet, in any combination (Hypothesis)."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histories import Event, History, Json, Recorder, canonical

texts = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = (
    st.integers(-(10**40), 10**40)
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Well-formed events of up to four clients and two named processes."""
    events: list[Event] = []
    busy: dict[int, tuple[str, Json]] = {}
    time = draw(st.integers(-(10**15), 10**15))
    fresh = 4
    clients = list(range(fresh))
    for index in range(draw(st.integers(0, 14))):
        time += draw(st.integers(0, 10**9))
        node = draw(st.none() | texts)
        error = draw(values)
        if draw(st.integers(0, 4)) == 0:
            name = draw(st.sampled_from(["nemesis", "observer"]))
            kind: Any = draw(st.sampled_from(["invoke", "ok", "fail", "info"]))
            f, key = draw(texts), None
            events.append(Event(index, time, name, kind, f, key, draw(values), error, node))
            continue
        slot = draw(st.integers(0, 3))
        process = clients[slot]
        if process in busy:
            kind = draw(st.sampled_from(["ok", "fail", "info"]))
            f, key = busy.pop(process)
            if kind == "info":
                clients[slot], fresh = fresh, fresh + 1
        else:
            kind, f, key = "invoke", draw(texts), draw(values)
            busy[process] = (f, key)
        events.append(Event(index, time, process, kind, f, key, draw(values), error, node))
    return events


def same(left: list[Event], right: list[Event]) -> bool:
    """Equal as JSON; the types of numbers are those of the canonical text."""
    return [canonical(_fields(event)) for event in left] == [
        canonical(_fields(event)) for event in right
    ]


def _fields(event: Event) -> list[Json]:
    return [getattr(event, name) for name in event.__struct_fields__]


@settings(max_examples=60)
@given(histories(), st.dictionaries(texts, values, max_size=3))
def test_every_way_through_the_formats_is_lossless(
    events: list[Event], meta: dict[str, Json]
) -> None:
    history = History.from_events(events, meta)
    assert same(list(history), events)
    with tempfile.TemporaryDirectory() as folder:
        jsonl, parquet = Path(folder, "h.jsonl"), Path(folder, "h.parquet")
        history.write_jsonl(jsonl)
        first = History.read(jsonl)
        first.write_parquet(parquet)
        second = History.read(parquet)
    for read in (first, second):
        assert list(read) == list(history)
        assert read.meta == history.meta
        assert read.pairs.tolist() == history.pairs.tolist()
        assert read.process.tolist() == history.process.tolist()
        assert [read.value_of(code) for code in read.value] == [
            history.value_of(code) for code in history.value
        ]
    assert canonical(history.meta) == canonical(meta)


@settings(max_examples=60)
@given(histories())
def test_the_recorder_writes_what_the_reader_reads(events: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "h.jsonl")
        with Recorder(path) as recorder:
            for event in events:
                recorder.record(*_fields(event)[1:])
        assert same(list(History.read(path)), events)


@given(values)
def test_the_canonical_text_is_the_value(value: Json) -> None:
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text
    assert canonical(json.loads(json.dumps(value, indent=1))) == text


@given(histories(), st.integers(0, 3))
def test_a_slice_is_a_history_of_its_own(events: list[Event], process: int) -> None:
    history = History.from_events(events)
    part = history.of_process(process)
    assert [event.index for event in part] == [
        event.index for event in events if event.process == process
    ]
    again = History.from_events(part)
    assert again.pairs.tolist() == part.pairs.tolist()


@settings(max_examples=30)
@given(histories(), st.integers(0, 3))
def test_columns_of_many_texts_are_lossless_too(events: list[Event], process: int) -> None:
    """With the limit lowered, each text column takes the form for millions of texts."""
    history = History.from_events(events)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("histories._arrow.MANY_TEXTS", 0)
        for part in (history, history.of_process(process)):
            path = Path(folder, "h.parquet")
            part.write_parquet(path)
            read = History.read(path)
            assert [_fields(event)[1:] for event in read] == [_fields(event)[1:] for event in part]
            assert read.pairs.tolist() == part.pairs.tolist()
            read.write_parquet(path)
            assert list(History.read(path)) == list(read)
