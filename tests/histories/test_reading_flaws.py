"""Bad input: one clear error with file and line, whatever is wrong."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histories import CorruptHistory, History, HistoryError

GOOD = '{"process":0,"type":"invoke","f":"write","value":1}\n'
MIB = 1 << 20


def event(**changes: str) -> str:
    fields = {"process": "1", "type": '"invoke"', "f": '"write"', "value": "1", **changes}
    return "{" + ",".join(f'"{name}":{text}' for name, text in fields.items() if text) + "}"


FLAWS = {
    "no JSON": ("nonsense", "expected one JSON object"),
    "a cut line": ('{"process":1,"type":"inv', "without its closing quote"),
    "two objects": (event() + event(), "after the event"),
    "an array": ("[1,2]", "expected one JSON object"),
    "a missing process": (event(process=""), 'no "process"'),
    "a missing type": (event(type=""), 'no "type"'),
    "a missing f": (event(f=""), 'no "f"'),
    "a missing value": (event(value=""), 'no "value"'),
    "an unknown type": (event(type='"done"'), "unknown type"),
    "a type that is no string": (event(type="3"), "unknown type"),
    "a null f": (event(f="null"), '"f" must be a string'),
    "a number as f": (event(f="3"), "must be a string"),
    "a negative process": (event(process="-1"), "process -1"),
    "a fractional process": (event(process="1.5"), "process 1.5"),
    "a huge process": (event(process="99999999999"), "process 99999999999"),
    "a quoted number as process": (event(process='"12"'), 'process "12"; a client is a number'),
    "a null process": (event(process="null"), "process null"),
    "a number as node": (event(node="3"), '"node" is 3'),
    "a fractional time": (event(time="1.5"), "time 1.5"),
    "a huge time": (event(time="9" * 30), "time 999"),
    "a wrong index": (event(index="7"), "index 7 where 1 was due"),
    "NaN": (event(value="NaN"), "`NaN` is not a JSON value"),
    "an infinite number": (event(value="1e999"), "too large"),
    "a leading zero": (event(value="01"), "not a JSON number"),
    "a field twice": ('{"process":1,' + event()[1:], "twice in one line"),
    "a key twice in a value": (event(value='{"a":1,"a":2}'), "twice in one object"),
    "half a surrogate pair": (event(value='"\\ud800"'), "surrogate"),
    "a broken unknown field": (event(colour="[1,"), "not valid JSON"),
    "a completion without invocation": (event(type='"ok"'), "never invoked"),
    "two open invocations": (event(process="0"), "is open"),
    "another operation's completion": (
        event(process="0", type='"ok"', f='"read"'),
        "its open operation is",
    ),
    "another key's completion": (
        event(process="0", type='"ok"', key='"x"'),
        'of key "x", but its open operation is of key null',
    ),
    "deep nesting": (event(value="[" * 5000 + "]" * 5000), "nested deeper than 100"),
    "an endless number": (event(value="1" * 5000), "a number of 5000 characters"),
    "a gigantic value": (event(value='"' + "x" * (17 * MIB) + '"'), "the limit is 16777216"),
    "a gigantic line": ('{"' + "x" * (40 * MIB), "limit"),
}


@pytest.mark.parametrize("name", FLAWS)
def test_a_flawed_line_is_named(tmp_path: Path, name: str) -> None:
    bad, hint = FLAWS[name]
    path = tmp_path / "h.jsonl"
    path.write_text(GOOD + bad + "\n")
    with pytest.raises(HistoryError) as caught:
        History.read(path)
    assert hint in str(caught.value)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert (caught.value.path, caught.value.line) == (str(path), 2)
    assert not isinstance(caught.value, CorruptHistory)
    assert len(str(caught.value)) < 500


def test_time_must_not_run_backwards(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    path.write_text(event(time="5") + "\n" + event(process="2", time="4"))
    with pytest.raises(HistoryError, match=r":2: time runs backwards, from 5 to 4 ns"):
        History.read(path)


def test_equal_times_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    path.write_text(event(time="5") + "\n" + event(process="2", time="5"))
    assert History.read(path).time.tolist() == [5, 5]


@pytest.mark.parametrize("suffix", ["jsonl", "edn", "log", "txt"])
@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_file_is_an_error(tmp_path: Path, suffix: str, text: str) -> None:
    path = tmp_path / f"h.{suffix}"
    path.write_text(text)
    with pytest.raises(HistoryError, match=r":1: "):
        History.read(path)


def test_an_empty_parquet_file_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "h.parquet"
    path.write_bytes(b"")
    with pytest.raises(CorruptHistory, match="not a whole Parquet file"):
        History.read(path)


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    path.write_bytes(GOOD.encode() + event(value='"\x00"').encode().replace(b"\x00", b"\xff"))
    with pytest.raises(HistoryError, match=r":2: bytes that are not UTF-8"):
        History.read(path)


@pytest.mark.parametrize(
    ("bad", "hint"),
    [
        ("{:process 1, :type :done, :f :read}]", "unknown type"),
        ("{:process 0, :type :invoke, :f :read}]", "is open"),
        ("{:process 1, :type :ok, :f :read}]", "never invoked"),
        ("{:process 1, :f :read}]", "no :type"),
        ("{:process 1, :type :ok, :f :read", "ends inside"),
        ("nonsense]", "expected a map"),
        ("{:process 1, :type :ok, :f :read, :value ##NaN}]", "no place in JSON"),
        ("{:process 1, :type :ok, :f :read, :value " + "[" * 5000, "nested"),
        ("{:process 1, :type}]", "no value"),
    ],
)
def test_flawed_edn_is_named(tmp_path: Path, bad: str, hint: str) -> None:
    path = tmp_path / "h.edn"
    path.write_text("[{:process 0, :type :invoke, :f :read, :value nil}\n" + bad)
    with pytest.raises(HistoryError, match=hint) as caught:
        History.read(path)
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("bad", "hint"),
    [
        ("1 :done :read nil", "unknown type"),
        ("0 :invoke :read nil", "is open"),
        ("1 :ok :read 3", "never invoked"),
        ("1 :invoke", "expected `process :type :f value`"),
        ("1 :invoke :write 1 2", "more than one value"),
        ("-1 :invoke :write 1", "process -1"),
    ],
)
def test_flawed_logs_are_named(tmp_path: Path, bad: str, hint: str) -> None:
    path = tmp_path / "h.log"
    mark = "INFO  jepsen.util - "
    path.write_text(f"{mark}0 :invoke :read nil\n{mark}{bad}\n")
    with pytest.raises(HistoryError, match=hint) as caught:
        History.read(path)
    assert caught.value.line == 2


def test_missing_files_and_unknown_formats_are_errors(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="cannot be read"):
        History.read(tmp_path / "none.jsonl")
    with pytest.raises(HistoryError, match="unknown format 'xml'"):
        History.read(tmp_path / "none.jsonl", format="xml")


def test_a_header_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    path.write_text('{"momus":"history","version":2}\n' + GOOD)
    with pytest.raises(HistoryError, match=r":1: a header of another version"):
        History.read(path)


SEEDS = {
    "jsonl": GOOD + '{"process":0,"type":"ok","f":"write","value":{"a":[1.5,"\\u00e9"]}}\n',
    "edn": "; c\n[{:process 0 :type :invoke :f :r :value #{1/2}} #_ x {:process :n :type :info}]",
    "log": "jepsen.util - 0 :invoke :cas [1 2]\njepsen.util - 0\t:fail\t:cas\t[1 2]\n",
}
PIECES = st.sampled_from(
    [b'"', b"\\", b"{", b"}", b"[", b"]", b"#", b"^", b"\n", b":", b"\xff", b"##", b"\\ud800", b"-"]
) | st.binary(max_size=4)


@pytest.mark.parametrize("form", SEEDS)
@given(edits=st.lists(st.tuples(st.integers(0, 150), st.integers(0, 9), PIECES), max_size=5))
def test_whatever_the_bytes_it_is_a_history_or_an_error(
    form: str, edits: list[tuple[int, int, bytes]]
) -> None:
    data = SEEDS[form].encode()
    for place, cut, piece in edits:
        data = data[:place] + piece + data[place + cut :]
    read = of_bytes(data, form)
    if isinstance(read, History):
        assert len(list(read)) == len(read)
    else:
        assert 1 <= (read.line or 0) <= data.count(b"\n") + 1


def of_bytes(data: bytes, form: str) -> History | HistoryError:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"h.{form}")
        path.write_bytes(data)
        try:
            return History.read(path, format={"log": "porcupine-log"}.get(form, form))
        except HistoryError as error:
            return error
