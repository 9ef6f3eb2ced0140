"""The readers, format by format, on histories one can read; and all reference histories."""

from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from histories import History

JSONL = """\
{"process": 0, "type": "invoke", "f": "cas", "value": [1, 2]}

{"value":[1,2.0], "type":"ok", "f":"cas", "process":0, "colour":"red"}
{"process": "nemesis", "type": "info", "f": "kill", "value": null, "node": "n1"}
"""

EDN = """\
; a comment
[{:process 0, :type :invoke, :f :cas, :value [1 2], :time 100, :index 4}
 {:process :nemesis, :type :info, :f :kill, :value {:n1 :down}, :time 90, :index 5}
 #jepsen.history.Op{:process 0, :type :info, :f :cas, :value [1 2], :time 110, :index 9
                    :error :timeout, :exception #error {:cause "x"}}]
"""

LOG = """\
INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]
INFO  jepsen.util - 1   :invoke :read   nil
INFO  jepsen.util - :nemesis   :info :start   "Cut off n1"
INFO  jepsen.util - 0\t:fail\t:cas\t[1 2]
INFO  jepsen.util - 2\t:invoke\t:write\t3
INFO  jepsen.util - 1\t:fail\t:read\t:timed-out
INFO  jepsen.util - 2\t:info\t:write\t:timed-out
INFO  something.else - unrelated
"""

KV = """\
{:process 0, :type :invoke, :f :append, :key "a", :value "x 0 0 y"}
{:process 0, :type :ok, :f :append, :key "a", :value "x 0 0 y"}
{:process 0, :type :invoke, :f :get, :key "a", :value nil}
{:process 0, :type :ok, :f :get, :key "a", :value "x 0 0 y"}
"""


def read(tmp_path: Path, name: str, text: str) -> History:
    (tmp_path / name).write_text(text)
    return History.read(tmp_path / name)


def test_jsonl_needs_four_fields_and_ignores_others(tmp_path: Path) -> None:
    history = read(tmp_path, "h.jsonl", JSONL)
    assert [event.value for event in history] == [[1, 2], [1, 2], None]
    assert history.pairs.tolist() == [1, 0, -1]
    assert history.time.tolist() == [0, 1, 2]
    assert [history.line(row) for row in range(3)] == [1, 3, 4]
    assert history[2].node == "n1"


def test_times_that_only_some_lines_have_give_way_to_the_order_of_lines(tmp_path: Path) -> None:
    text = JSONL.replace('"process": 0', '"time": 500, "process": 0')
    assert read(tmp_path, "h.jsonl", text).time.tolist() == [0, 1, 2]


def test_a_header_brings_meta_data(tmp_path: Path) -> None:
    header = '{"momus":"history","version":1,"meta":{"seed":7,"initial":0}}\n'
    history = read(tmp_path, "h.jsonl", header + JSONL)
    assert history.meta == {"seed": 7, "initial": 0}
    assert history.line(0) == 2


def test_edn_becomes_json(tmp_path: Path) -> None:
    history = read(tmp_path, "h.edn", EDN)
    assert [event.process for event in history] == [0, "nemesis", 0]
    assert history[1].value == {"n1": "down"}
    assert history[2].error == "timeout"
    assert history.pairs.tolist() == [2, -1, 0]
    assert [history.line(row) for row in range(3)] == [2, 3, 4]


def test_edn_times_obey_the_order_of_lines(tmp_path: Path) -> None:
    assert read(tmp_path, "h.edn", EDN).time.tolist() == [100, 101, 110]


def test_transactions_without_process_and_f_are_read(tmp_path: Path) -> None:
    text = "{:index 0 :type :invoke :value [[:r 1 nil]]}\n{:index 1 :type :ok :value [[:r 1 [2]]]}"
    history = read(tmp_path, "h.edn", text)
    assert history[1].f == "txn"
    assert history[1].value == [["r", 1, [2]]]
    assert history.pairs.tolist() == [1, 0]


def test_in_a_log_a_failed_cas_is_an_observation(tmp_path: Path) -> None:
    history = read(tmp_path, "h.log", LOG)
    events = [(event.type, event.value, event.error) for event in history]
    assert events == [
        ("invoke", [1, 2], None),
        ("invoke", None, None),
        ("info", "Cut off n1", None),
        ("ok", False, None),
        ("invoke", 3, None),
        ("fail", None, "timed-out"),
        ("info", 3, "timed-out"),
    ]
    assert history.meta["model"] == "cas-register"
    assert history.line(6) == 7


def test_key_value_lines_know_their_model(tmp_path: Path) -> None:
    history = read(tmp_path, "kv.txt", KV)
    assert history.meta == {"model": "kv", "initial": ""}
    assert [event.key for event in history] == ["a"] * 4


@pytest.mark.parametrize(
    ("text", "events"), [(JSONL, 3), (EDN, 3), (LOG, 7), (KV, 4)], ids=["jsonl", "edn", "log", "kv"]
)
def test_the_form_is_guessed_from_the_content(tmp_path: Path, text: str, events: int) -> None:
    assert len(read(tmp_path, "history", text)) == events


def test_standard_input_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(JSONL.encode())))
    history = History.read("-")
    assert len(history) == 3
    assert history.source == "stdin"


def test_pipes_are_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(KV,), daemon=True)
    writer.start()
    assert len(History.read(pipe)) == 4
    writer.join(10)


def test_big_integers_keep_all_their_digits(tmp_path: Path) -> None:
    number = 123456789012345678901234567890
    line = f'{{"process":0,"type":"invoke","f":"write","value":{number}}}'
    history = read(tmp_path, "h.jsonl", line)
    assert history[0].value == number
    history.write_parquet(tmp_path / "h.parquet")
    assert History.read(tmp_path / "h.parquet")[0].value == number


def test_strings_of_every_alphabet_survive(tmp_path: Path) -> None:
    value = 'é😀"\\\n\x01\u2028</script>'
    line = {"process": 0, "type": "invoke", "f": "write", "value": value}
    assert read(tmp_path, "a.jsonl", json.dumps(line))[0].value == value
    assert read(tmp_path, "b.jsonl", json.dumps(line, ensure_ascii=False))[0].value == value


def test_a_byte_order_mark_and_windows_line_ends_are_tolerated(tmp_path: Path) -> None:
    text = "\ufeff" + JSONL.replace("\n", "\r\n")
    assert len(read(tmp_path, "h.jsonl", text)) == 3


def test_every_reference_history_is_read(shared_data: Path) -> None:
    files = [
        path
        for folder in ("porcupine/jepsen", "porcupine/kv", "knossos/cas-register", "elle")
        for path in sorted((shared_data / folder).rglob("*.*"))
        if path.suffix in {".log", ".txt", ".edn"}
    ]
    assert len(files) > 100
    for path in files:
        history = History.read(path)
        assert len(history) > 0
        closed = history.pairs >= 0
        assert (history.pairs[history.pairs[closed]] == closed.nonzero()[0]).all(), path
        assert list(History.from_events(history)) == list(history), path


def test_reference_logs_keep_every_line(shared_data: Path) -> None:
    for path in sorted((shared_data / "porcupine" / "jepsen").glob("*.log")):
        lines = path.read_text().splitlines()
        history = History.read(path)
        assert len(history) == len([line for line in lines if "jepsen.util - " in line])
        failed_cas = [line for line in lines if ":fail" in line and ":cas" in line and "[" in line]
        answered_no = [event for event in history if event.value is False]
        assert len(answered_no) == len(failed_cas)
