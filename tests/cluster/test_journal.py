"""The undo journal: written before, closed after, readable whatever happened."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from cluster import Journal, LocalHost
from cluster._journal import driver_identity, is_running


def host(tmp_path: Path) -> LocalHost:
    return LocalHost("n1", str(tmp_path))


def test_an_entry_is_open_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "faults.jsonl"
    with Journal(path, "run-1") as journal:
        first = journal.open("partition", host(tmp_path), [["undo", "1"]], {"from": "n2"})
        second = journal.open("daemon", host(tmp_path), [["undo", "2"]], sudo=True)
        assert [each.id for each in Journal.open_entries(path)] == [second, first]  # newest first
        journal.close(first)
        assert journal.open_ids == {second}
    [entry] = Journal.open_entries(path)
    assert entry.kind == "daemon"
    assert entry.run == "run-1"
    assert entry.undo == (("undo", "2"),)
    assert entry.sudo
    assert entry.host == host(tmp_path).spec()
    assert [each.closed for each in Journal.entries(path)] == [True, False]


def test_an_entry_is_closed_once(tmp_path: Path) -> None:
    with Journal(tmp_path / "faults.jsonl") as journal:
        entry = journal.open("daemon", host(tmp_path), [])
        journal.close(entry)
        with pytest.raises(ValueError, match="not open"):
            journal.close(entry)


def test_an_entry_is_on_disk_before_the_host_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    real_fsync = os.fsync

    def watched_fsync(file: int) -> None:
        real_fsync(file)
        order.append("fsync")

    monkeypatch.setattr("os.fsync", watched_fsync)

    class Watched(LocalHost):
        async def run(self, argv: Any, **options: Any) -> Any:
            order.append(argv[3] if len(argv) > 3 else argv[0])
            return await super().run(argv, **options)

    async def main() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            order.clear()
            watched = Watched("n1", str(tmp_path), journal=journal)
            await watched.start("nap", ["sleep", "1000"])
            assert order.index("fsync") < order.index("momus-start")
            await watched.stop("nap")
            assert journal.open_ids == set()

    asyncio.run(main())


def test_a_torn_last_line_is_no_entry_and_swallows_none(tmp_path: Path) -> None:
    path = tmp_path / "faults.jsonl"
    with Journal(path, "one") as journal:
        kept = journal.open("daemon", host(tmp_path), [["undo"]])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"do":"open","id":"torn","ru')
    assert [each.id for each in Journal.open_entries(path)] == [kept]
    with Journal(path, "two") as journal:
        after = journal.open("daemon", host(tmp_path), [["undo"]])
    assert [each.id for each in Journal.entries(path)] == [kept, after]


def test_marking_closed_also_survives_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "faults.jsonl"
    with Journal(path) as journal:
        entry = journal.open("daemon", host(tmp_path), [["undo"]])
    path.write_bytes(path.read_bytes() + b'{"do":"op')
    Journal.mark_closed(path, [entry], "heal")
    assert Journal.open_entries(path) == []


def test_an_ended_journal_lets_nothing_be_touched(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "faults.jsonl")
    journal.end()
    with pytest.raises(ValueError, match="has ended"):
        journal.open("daemon", host(tmp_path), [])


def test_it_knows_whether_its_writer_still_runs(tmp_path: Path) -> None:
    path = tmp_path / "faults.jsonl"
    Journal(path).end()
    [writer] = Journal.writers(path)
    assert writer == driver_identity()
    assert is_running(writer)
    assert not is_running({**writer, "start": writer["start"] - 1})  # the pid was reused
    assert not is_running({**writer, "boot": "another"})


def test_a_journal_is_plain_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "faults.jsonl"
    with Journal(path, "r") as journal:
        journal.open("partition", host(tmp_path), [["iptables", "-F", "MOMUS"]])
    begin, opened = [json.loads(line) for line in path.read_text().splitlines()]
    assert begin["do"] == "begin"
    assert opened["undo"] == [["iptables", "-F", "MOMUS"]]
