"""Every format can be written as well as read, and says what it could not hold."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histories import Event, History, HistoryError, Json, write
from tests.histories.test_round_trips import histories as any_events

FORMATS = ("jsonl", "parquet", "edn", "porcupine-log", "porcupine-kv")


def converted(history: History, format: str) -> tuple[History, list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history"
        lost = write(history, path, format)
        return History.read(path, format=format), lost


def texts(events: Sequence[Event]) -> list[bytes]:
    """Events by value: canonical, so that no two kinds of numbers look the same."""
    return [msgspec.json.encode(event, order="sorted") for event in events]


def without(events: Sequence[Event], *fields: str) -> list[Event]:
    nothing: dict[str, Any] = {name: 0 if name == "time" else None for name in fields}
    return [msgspec.structs.replace(event, **nothing) for event in events]


# --- by hand ---------------------------------------------------------------------------------

RUN = [
    Event(0, 10, 0, "invoke", "write", "x", 1, None, "n1"),
    Event(1, 12, "nemesis", "info", "start-kill", None, {"targets": ["n1"]}),
    Event(2, 15, 0, "info", "write", "x", 1, "timed-out", "n1"),
    Event(3, 20, 1, "invoke", "cas", "x", [1, 2], None, "n2"),
    Event(4, 22, 1, "ok", "cas", "x", False, None, "n2"),
]
META: dict[str, Json] = {"name": "by hand", "seed": 7}


def test_edn_is_what_jepsen_writes() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.edn"
        lost = write(History.from_events(RUN, META), path, "edn")
        lines = path.read_text().splitlines()
    assert lines[1:4] == [
        "{:index 1, :time 12, :type :info, :process :nemesis, :f :start-kill, "
        ':value {"targets" ["n1"]}}',
        '{:index 2, :time 15, :type :info, :process 0, :f :write, :key "x", :value 1, '
        ':error "timed-out", :node "n1"}',
        '{:index 3, :time 20, :type :invoke, :process 1, :f :cas, :key "x", :value [1 2], '
        ':node "n2"}',
    ]
    assert lost == ["the header (name, seed)"]


def test_the_log_is_what_jepsen_wrote_for_porcupine() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.log"
        lost = write(History.from_events(RUN, META), path, "porcupine-log")
        lines = path.read_text().splitlines()
    assert lines[2:] == [
        "INFO  jepsen.util - 0\t:info\t:write\t:timed-out",
        "INFO  jepsen.util - 1\t:invoke\t:cas\t[1 2]",
        "INFO  jepsen.util - 1\t:fail\t:cas\t[1 2]",
    ]
    assert lost == [
        "the header (name, seed)", "the times", "the key of 4 events", "the node of 4 events",
    ]  # fmt: skip


def test_the_key_value_form_knows_only_its_operations() -> None:
    with pytest.raises(HistoryError, match="event 0 is a 'write'"):
        converted(History.from_events(RUN), "porcupine-kv")


def test_an_unknown_format_is_refused_before_anything_is_written() -> None:
    with pytest.raises(HistoryError, match="must be one of jsonl"):
        converted(History.from_events(RUN), "yaml")


def test_events_at_the_same_time_cannot_stay_so_in_edn() -> None:
    tied = [
        Event(0, 5, 0, "invoke", "read"),
        Event(1, 9, 0, "ok", "read"),
        Event(2, 9, 0, "invoke", "read"),
    ]
    back, lost = converted(History.from_events(tied), "edn")
    assert [event.time for event in back] == [5, 9, 10]
    assert "that 1 events happened at the same time" in lost[0]


# --- recorded by others ----------------------------------------------------------------------


def recorded(shared: Path) -> Iterator[Path]:
    yield from sorted(shared.glob("porcupine/jepsen/*.log"))[::10]
    yield from sorted(shared.glob("porcupine/kv/c*.txt"))[:2]
    yield from sorted(shared.glob("knossos/**/*.edn"))[::10]
    yield from sorted(shared.glob("elle/*.edn"))


def test_recorded_histories_come_back_from_every_format_that_holds_them(
    shared_data: Path,
) -> None:
    count = 0
    for path in recorded(shared_data):
        history = History.read(path)
        events = texts(list(history))
        for format in FORMATS:
            if format == "porcupine-kv" and "get" not in history.f_names:
                continue
            back, lost = converted(history, format)
            assert lost or texts(list(back)) == events, (path, format)
            assert len(back) == len(history)
            count += not lost
        own = {".log": "porcupine-log", ".txt": "porcupine-kv", ".edn": "edn"}[path.suffix]
        back, lost = converted(history, own)
        assert lost == [], (path, lost)
        assert dict(back.meta) == dict(history.meta)
    assert count > 20


# --- anything --------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(any_events())
def test_any_history_comes_back_from_edn_but_for_ties(events: list[Event]) -> None:
    if not events:
        return
    history = History.from_events(events)
    back, lost = converted(history, "edn")
    if lost:
        assert texts(without(list(back), "time")) == texts(without(list(history), "time"))
    else:
        assert texts(list(back)) == texts(list(history))


@settings(max_examples=150, deadline=None)
@given(any_events())
def test_the_log_holds_whatever_it_does_not_name_as_lost(events: list[Event]) -> None:
    if not events:
        return
    history = History.from_events(events)
    back, lost = converted(history, "porcupine-log")
    assert len(back) == len(history)
    told = " ".join(lost)
    gone = ["time"] + [name for name in ("key", "node", "error", "value") if name in told]
    gone += ["error"] if "no error" in told else []
    gone += ["type"] if "the type" in told else []
    assert texts(without(list(back), *gone)) == texts(without(list(history), *gone)), lost


@settings(max_examples=150, deadline=None)
@given(any_events(), st.randoms(use_true_random=False))
def test_the_log_tells_the_ends_of_a_compare_and_set_apart(
    events: list[Event], random: Any
) -> None:
    if not events:
        return
    names: dict[str, str] = {}
    answers = [False, True, None, [1, 2]]
    drawn = [
        msgspec.structs.replace(
            event,
            f=names.setdefault(event.f, random.choice(["cas", "read"])),
            value=random.choice(answers),
            error=random.choice([None, "timed-out", ":x y", [1]]),
        )
        for event in events
    ]
    history = History.from_events(drawn)
    back, lost = converted(history, "porcupine-log")
    assert {"the value", "the type", "the error"} & {name[:9].strip() for name in lost} or texts(
        without(list(back), "time", "key", "node", *(["error"] if "no error" in str(lost) else []))
    ) == texts(
        without(
            list(history), "time", "key", "node", *(["error"] if "no error" in str(lost) else [])
        )
    ), lost


kv_steps = st.lists(
    st.tuples(st.sampled_from(["get", "put", "append"]), st.text(max_size=5), st.text(max_size=5)),
    min_size=1,
    max_size=6,
)


@given(kv_steps)
def test_the_key_value_form_holds_strings_under_any_key(steps: list[tuple[str, str, str]]) -> None:
    events: list[Event] = []
    for process, (f, key, value) in enumerate(steps):
        for kind in ("invoke", "ok"):
            told = None if (f, kind) == ("get", "invoke") else value
            place = len(events)
            events.append(Event(place, place, process, kind, f, key, told))
    back, lost = converted(History.from_events(events), "porcupine-kv")
    assert lost == []
    assert texts(list(back)) == texts(events)


def test_the_key_value_form_names_what_it_drops() -> None:
    events = [
        Event(0, 10, 0, "invoke", "put", 7, "a", None, "n1"),
        Event(1, 11, "nemesis", "info", "start-kill"),
        Event(2, 12, 0, "info", "put", 7, "a", "timed-out", "n1"),
    ]
    back, lost = converted(History.from_events(events), "porcupine-kv")
    assert [(event.process, event.type, event.key) for event in back] == [
        (0, "invoke", "7"), (0, "info", "7"),
    ]  # fmt: skip
    assert lost == [
        "1 events of processes that are not clients",
        "the times",
        "the error of 1 events",
        "the node of 2 events",
        "the type of 1 keys (they become strings)",
    ]
