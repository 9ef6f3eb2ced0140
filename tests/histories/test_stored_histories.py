"""The run store: folders, states, sealing, and who may be the latest."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from histories import (
    CorruptHistory,
    History,
    HistoryError,
    RecorderMisuse,
    Run,
    Store,
)


def record_one_write(run: Run) -> None:
    with run.recorder() as recorder:
        recorder.record(0, 0, "invoke", "write", "x", 1)
        recorder.record(5, 0, "ok", "write", "x", 1)


def test_a_run_goes_from_running_to_sealed_to_judged(tmp_path: Path) -> None:
    run = Store(tmp_path / "store").create("etcd", {"seed": 7})
    states: list[str] = [run.state]
    record_one_write(run)
    assert [event.type for event in run.history()] == ["invoke", "ok"]
    run.seal()
    states.append(run.state)
    assert not (run.path / "history.jsonl").exists()
    assert run.history().meta["seed"] == 7
    run.write_results({"valid": True, "seconds": 0.25})
    states.append(run.state)
    assert states == ["running", "sealed", "judged"]
    assert run.results() == {"valid": True, "seconds": 0.25}
    run.release()


def test_a_run_whose_process_is_gone_has_crashed(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from histories import Store\n"
        "run = Store(sys.argv[1]).create('etcd')\n"
        "run.recorder().record(0, 0, 'invoke', 'write', 'x', 1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False, timeout=60)
    run = Store(tmp_path).latest()
    assert run.state == "crashed"
    assert len(run.history()) in (0, 1)


def test_a_released_run_without_a_sealed_history_counts_as_crashed(tmp_path: Path) -> None:
    run = Store(tmp_path).create("etcd")
    run.release()
    assert Run(run.path).state == "crashed"


def test_a_run_is_not_sealed_while_it_is_recorded(tmp_path: Path) -> None:
    run = Store(tmp_path).create("etcd")
    with run.recorder(), pytest.raises(RecorderMisuse, match="close its recorder"):
        run.seal()


def test_sealing_twice_and_sealing_after_a_crash_in_between_both_work(tmp_path: Path) -> None:
    run = Store(tmp_path).create("etcd")
    record_one_write(run)
    recording = (run.path / "history.jsonl").read_bytes()
    run.seal()
    (run.path / "history.jsonl").write_bytes(recording)
    assert len(run.seal()) == 2
    assert not (run.path / "history.jsonl").exists()


def test_runs_are_found_by_what_people_type(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second = store.create("etcd"), store.create("etcd")
    other = store.create("redis")
    assert store.runs() == [first, second, other]
    assert store.latest() == other == store.find("latest")
    assert store.find("etcd") == second
    assert store.find(first.name) == first
    assert store.find(first.path) == first
    assert store.find(first.path.name) == first
    with pytest.raises(HistoryError, match="no run matches 'zookeeper'"):
        store.find("zookeeper")
    with pytest.raises(HistoryError, match="3 runs match"):
        store.find("2")


def test_an_empty_store_says_so(tmp_path: Path) -> None:
    assert Store(tmp_path / "none").runs() == []
    with pytest.raises(HistoryError, match="no runs"):
        Store(tmp_path / "none").latest()


def test_names_of_tests_cannot_leave_the_store(tmp_path: Path) -> None:
    run = Store(tmp_path / "store").create("../../etc/my test")
    assert run.path.parent.parent == tmp_path / "store"
    assert run.meta["name"] == "../../etc/my test"
    for bad in ("", "..", "latest", "///"):
        with pytest.raises(HistoryError, match="cannot name a folder"):
            Store(tmp_path / "store").create(bad)


def test_runs_that_start_together_get_folders_of_their_own(tmp_path: Path) -> None:
    runs: list[Run] = []
    threads = [
        threading.Thread(target=lambda: runs.append(Store(tmp_path).create("etcd")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({run.path for run in runs}) == 8
    assert Store(tmp_path).latest() in runs


def test_latest_is_a_relative_link_so_a_store_may_move(tmp_path: Path) -> None:
    run = Store(tmp_path / "old").create("etcd")
    (tmp_path / "old").rename(tmp_path / "new")
    assert Store(tmp_path / "new").latest().path.name == run.path.name


def test_a_run_folder_reads_as_a_history(tmp_path: Path) -> None:
    run = Store(tmp_path).create("etcd")
    record_one_write(run)
    assert len(History.read(run.path)) == 2
    assert len(History.read(tmp_path / "latest")) == 2


def test_damaged_meta_data_is_corruption(tmp_path: Path) -> None:
    run = Store(tmp_path).create("etcd", {"seed": 7})
    path = run.path / "test.json"
    path.write_bytes(path.read_bytes().replace(b"7", b"8", 1))
    with pytest.raises(CorruptHistory, match=r"test\.json"):
        _ = run.meta


def test_a_folder_that_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="no such run folder"):
        Run(tmp_path / "none")
    with pytest.raises(HistoryError, match="no history"):
        Run(tmp_path).history()
