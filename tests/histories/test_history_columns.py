"""A history is columns: codes, pairs, slices, and what comes out of them again."""

from __future__ import annotations

import pickle

import pytest

from histories import FAIL, INFO, INVOKE, OK, Event, History, HistoryError, Op


def write(process: int, value: int, key: str | None = None) -> Op:
    return Op("write", value, key, process=process)


#   process 0:  |-- write x 1 --|
#   process 1:        |-- write y 2 --- ?
#   nemesis:              kill
#   process 2:                        |-- read x 1 --|
HISTORY = History.from_ops(
    [
        write(0, 1, "x"),
        write(1, 2, "y"),
        Op("kill", None, process="nemesis", type="info"),
        write(0, 1, "x").ok(1),
        Op("read", None, "x", process=2),
        write(1, 2, "y").info("timeout"),
        Op("read", None, "x", process=2).ok(1),
    ],
    {"name": "drawn", "seed": 7},
)


def test_equal_values_have_equal_codes() -> None:
    assert HISTORY.f_names == ["write", "kill", "read"]
    assert HISTORY.f.tolist() == [0, 0, 1, 0, 2, 0, 2]
    assert HISTORY.value.tolist() == [0, 1, -1, 0, -1, 1, 0]
    assert list(HISTORY.values) == [b"1", b"2"]
    assert HISTORY.type.tolist() == [INVOKE, INVOKE, INFO, OK, INVOKE, INFO, OK]
    assert HISTORY.time.tolist() == list(range(7))


def test_pairs_join_invocations_and_completions_both_ways() -> None:
    assert HISTORY.pairs.tolist() == [3, 5, -1, 0, 6, 1, 4]


def test_named_processes_are_negative_numbers_with_names() -> None:
    assert HISTORY.process.tolist() == [0, 1, -1, 0, 2, 1, 2]
    assert HISTORY.process_names == ["nemesis"]
    assert HISTORY[2].process == "nemesis"


def test_events_come_out_as_they_went_in() -> None:
    assert HISTORY[5] == Event(5, 5, 1, "info", "write", "y", 2, "timeout", None)
    assert HISTORY[-1] == HISTORY[6]
    assert list(History.from_events(HISTORY)) == list(HISTORY)
    with pytest.raises(IndexError, match="no event 7"):
        HISTORY[7]


def test_a_slice_keeps_the_index_of_the_whole_and_pairs_within_itself() -> None:
    x = HISTORY.for_key("x")
    assert [event.index for event in x] == [0, 3, 4, 6]
    assert x.pairs.tolist() == [1, 0, 3, 2]
    assert len(HISTORY.for_key("unknown")) == 0
    assert [event.f for event in HISTORY.for_key(None)] == ["kill"]


def test_a_slice_in_time_has_both_ends_and_cuts_pairs() -> None:
    part = HISTORY.between(1, 4)
    assert [event.index for event in part] == [1, 2, 3, 4]
    assert part.pairs.tolist() == [-1, -1, -1, -1]


def test_slices_by_process() -> None:
    assert [event.index for event in HISTORY.of_process("nemesis")] == [2]
    assert [event.index for event in HISTORY.of_process(1)] == [1, 5]
    assert len(HISTORY.of_process("observer")) == len(HISTORY.of_process(9)) == 0
    assert [event.index for event in HISTORY.clients()] == [0, 1, 3, 4, 5, 6]


def test_a_completion_without_a_key_has_that_of_its_invocation() -> None:
    history = History.from_ops([write(0, 1, "x"), Op("write", 1, process=0, type="ok")])
    assert [event.key for event in history] == ["x", "x"]


def test_numbers_that_are_equal_are_the_same_value() -> None:
    history = History.from_ops([Op("w", 1, process=0), Op("w", 1.0, process=1)])
    assert history.value.tolist() == [0, 0]


def test_histories_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        HISTORY.time[0] = 5
    with pytest.raises(AttributeError):
        HISTORY.meta = {}  # type: ignore[misc]


def test_pandas_frames_hold_decoded_values() -> None:
    frame = HISTORY.to_pandas()
    assert frame["process"].tolist() == [0, 1, "nemesis", 0, 2, 1, 2]
    assert frame["value"].tolist() == [1, 2, None, 1, None, 2, 1]
    assert frame["type"].tolist()[:3] == ["invoke", "invoke", "info"]
    assert frame["pair"].tolist() == HISTORY.pairs.tolist()


def test_arrow_tables_have_a_column_per_field() -> None:
    table = HISTORY.to_arrow()
    assert table.column_names[:4] == ["index", "time", "process", "process_name"]
    assert table["value"].to_pylist() == ["1", "2", None, "1", None, "2", "1"]
    assert table["process"].to_pylist() == [0, 1, None, 0, 2, 1, 2]


def test_the_graph_is_the_order_in_real_time() -> None:
    graph = HISTORY.to_networkx()
    assert set(graph.edges) == {(0, 4)}
    assert graph.nodes[1]["type"] == "info"
    assert graph.nodes[4]["result"] == 1


def test_histories_can_be_sent_to_another_process() -> None:
    assert list(pickle.loads(pickle.dumps(HISTORY))) == list(HISTORY)  # noqa: S301


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (float("nan"), "nan is not a JSON value"),
        ([1, float("inf")], "inf is not a JSON value"),
        ({1: 2}, "not a string"),
        (b"bytes", "not a JSON value"),
        ({1, 2}, "not a JSON value"),
        (10**2000, "number"),
    ],
)
def test_what_is_not_json_is_refused(value: object, hint: str) -> None:
    with pytest.raises(HistoryError, match=hint):
        History.from_ops([Op("write", value, process=0)])


def test_flaws_of_events_in_memory_name_the_event() -> None:
    with pytest.raises(HistoryError, match="event 1: process 0 invokes"):
        History.from_ops([write(0, 1), write(0, 2)])
    with pytest.raises(HistoryError, match=r"event 0 \(read\) has no process"):
        History.from_ops([Op("read")])


def test_failed_operations_keep_what_they_tried() -> None:
    history = History.from_ops([write(0, 1), write(0, 1).fail("refused")])
    assert history.type.tolist() == [INVOKE, FAIL]
    assert history[1].value == 1
    assert history[1].error == "refused"
