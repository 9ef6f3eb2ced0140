"""The recorder: what it accepts, what it refuses, and what is on disk when."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from histories import (
    Event,
    History,
    HistoryError,
    Recorder,
    RecorderFailed,
    RecorderMisuse,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.jsonl"


def test_what_is_recorded_is_read_back(path: Path) -> None:
    with Recorder(path, {"seed": 7}) as recorder:
        events = [
            recorder.record(10, 0, "invoke", "cas", "x", [1, 2], None, "n1"),
            recorder.record(10, "nemesis", "info", "kill", None, {"targets": ["n1"]}),
            recorder.record(20, 0, "info", "cas", "x", [1, 2], "timeout", "n1"),
        ]
    assert events[0] == Event(0, 10, 0, "invoke", "cas", "x", [1, 2], None, "n1")
    history = History.read(path)
    assert list(history) == events
    assert history.meta == {"seed": 7}
    assert not history.torn


def test_other_tools_see_json_lines(path: Path) -> None:
    with Recorder(path) as recorder:
        recorder.record(10, 0, "invoke", "write", "x", 1)
    header, first, event, last = map(json.loads, path.read_text().splitlines())
    assert header == {"momus": "history", "version": 1, "checksums": True, "meta": {}}
    assert event["type"] == "invoke"
    assert first["events"] == 0
    assert last["events"] == 1
    assert last["closed"] is True


def test_flush_means_durable(path: Path) -> None:
    with Recorder(path) as recorder:
        recorder.record(10, 0, "invoke", "write", "x", 1)
        recorder.flush()
        assert recorder.durable == len(recorder) == 1
        assert len(History.read(path)) == 1


def test_groups_go_to_disk_by_themselves(path: Path) -> None:
    with Recorder(path, flush_interval_s=0.001) as recorder:
        recorder.record(10, 0, "invoke", "write", "x", 1)
        with recorder._progress:
            assert recorder._progress.wait_for(lambda: recorder.durable == 1, 10)


ACCEPTED: list[tuple[Any, ...]] = [
    (10, 0, "invoke", "write", "x", 1),
    (20, 0, "ok", "write", "x", 1),
    (20, 1, "invoke", "read", "x"),
    (30, 1, "info", "read", "x"),
    (30, 2, "invoke", "read", "x"),
]
REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "an invocation on a busy process": ((40, 2, "invoke", "read"), "still open"),
    "a completion without invocation": ((40, 3, "ok", "read"), "no open operation"),
    "a second completion": ((40, 0, "ok", "write"), "no open operation"),
    "another operation's completion": ((40, 2, "ok", "write"), "open operation is 'read'"),
    "a retired process": ((40, 1, "invoke", "read"), "new process number"),
    "time running backwards": ((29, 5, "invoke", "read"), "time runs backwards"),
    "fractional time": ((40.5, 5, "invoke", "read"), "integers"),
    "an unknown type": ((40, 2, "done", "read"), "unknown type"),
    "a nemesis of an unknown type": ((40, "nemesis", "done", "kill"), "unknown type"),
    "a negative process": ((40, -1, "invoke", "read"), "from 0 to"),
    "a process that is no name": ((40, None, "invoke", "read"), "neither a number nor a name"),
    "NaN": ((40, 5, "invoke", "write", None, float("nan")), "nan is not a JSON value"),
    "bytes": ((40, 5, "invoke", "write", None, b"x"), "not a JSON value"),
    "a set in a list": ((40, 5, "invoke", "write", None, [{1}]), "not a JSON value"),
    "keys that are no strings": ((40, 5, "invoke", "write", None, {1: 2}), "not a string"),
    "half a surrogate pair": ((40, 5, "invoke", "write", None, "\ud800"), "JSON"),
    "a gigantic value": ((40, 5, "invoke", "write", None, "x" * (17 << 20)), "limit"),
    "a gigantic number": ((40, 5, "invoke", "write", None, 10**2000), "number"),
    "a number as f": ((40, 5, "invoke", 3), "f 3"),
    "a process too large": ((40, 2**31, "invoke", "read"), "2147483647"),
    "time too large": ((2**63, 5, "invoke", "read"), "64 bits"),
    "a number as node": ((40, 5, "invoke", "read", None, None, None, 3), "node 3"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_event_leaves_no_trace(path: Path, name: str) -> None:
    event, hint = REFUSED[name]
    with Recorder(path) as recorder:
        for accepted in ACCEPTED:
            recorder.record(*accepted)
        with pytest.raises(RecorderMisuse, match=hint):
            recorder.record(*event)
        recorder.record(40, 2, "ok", "read", "x", 1)
        recorder.record(50, 5, "invoke", "read", "x")
    history = History.read(path)
    assert [event.index for event in history] == list(range(len(ACCEPTED) + 2))


def test_a_file_is_never_appended_to(path: Path) -> None:
    Recorder(path).close()
    with pytest.raises(RecorderMisuse, match="exists"):
        Recorder(path)


def test_nothing_is_recorded_after_close(path: Path) -> None:
    recorder = Recorder(path)
    recorder.close()
    recorder.close()
    with pytest.raises(RecorderMisuse, match="closed"):
        recorder.record(10, 0, "invoke", "read")


def test_a_failing_disk_stops_the_recorder_and_says_what_is_safe(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(path)
    recorder.record(10, 0, "invoke", "write", "x", 1)
    recorder.flush()

    def full(_file: int, _data: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("histories._recorder.os.write", full)
    recorder.record(20, 0, "ok", "write", "x", 1)
    with pytest.raises(RecorderFailed, match=r"No space left.*the first 1 events are safe"):
        recorder.flush()
    with pytest.raises(RecorderFailed):
        recorder.record(30, 0, "invoke", "write", "x", 1)
    with pytest.raises(RecorderFailed):
        recorder.close()
    monkeypatch.undo()
    assert len(History.read(path)) == 1


def test_threads_may_record_together(path: Path) -> None:
    with Recorder(path) as recorder:

        def work(process: int) -> None:
            for number in range(200):
                recorder.record(0, process, "invoke", "write", None, number)
                recorder.record(0, process, "ok", "write", None, number)

        threads = [threading.Thread(target=work, args=(process,)) for process in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    history = History.read(path)
    assert len(history) == 1600
    assert (history.pairs >= 0).all()


def test_a_recording_without_events_is_an_empty_history(path: Path) -> None:
    Recorder(path, {"seed": 7}).close()
    history = History.read(path)
    assert (len(history), history.meta) == (0, {"seed": 7})
    history.write_parquet(path.with_suffix(".parquet"))
    assert len(History.read(path.with_suffix(".parquet"))) == 0


@pytest.mark.parametrize("lost", [1, 20, 60, 100])
def test_a_torn_tail_is_dropped(path: Path, lost: int) -> None:
    with Recorder(path) as recorder:
        recorder.record(10, 0, "invoke", "write", "x", 1)
        recorder.flush()
        recorder.record(20, 0, "ok", "write", "x", 1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-lost])
    history = History.read(path)
    # Only the last newline may go without taking its group along.
    assert len(history) == (2 if lost == 1 else 1)
    assert history.torn is (lost > 1)
    assert history.pairs.tolist() == ([1, 0] if lost == 1 else [-1])


def test_meta_data_must_be_json(path: Path) -> None:
    with pytest.raises(TypeError, match="not a JSON value"):
        Recorder(path, {"when": object()})
    with pytest.raises(HistoryError):
        History.read(path)
