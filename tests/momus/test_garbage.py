"""Whatever is in the files: an answer, or one line that says what is wrong.  (Hypothesis)

Bytes are drawn from nothing, and by damaging what was good: cut, spliced, or one byte changed.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from histories import History
from momus._cli import cli

EVENTS = b"""\
{"process": 0, "type": "invoke", "f": "write", "value": 1, "key": "x"}
{"process": 1, "type": "invoke", "f": "read", "value": null, "key": "x"}
{"process": 0, "type": "ok", "f": "write", "value": 1, "key": "x"}
{"process": 1, "type": "ok", "f": "read", "value": 1, "key": "x"}
{"process": 1, "type": "invoke", "f": "cas", "value": [1, 2], "key": "x"}
{"process": 1, "type": "info", "f": "cas", "value": [1, 2], "key": "x", "error": "timeout"}
"""
EDN = b"""\
[{:process 0 :type :invoke :f :write :value 1} {:process 0 :type :ok :f :write :value 1}
 {:process 1 :type :invoke :f :read :value nil} {:process 1 :type :ok :f :read :value #{2 "a"}}]
"""
LOG = b"""\
INFO  jepsen.util - 0\t:invoke\t:write\t1
INFO  jepsen.util - 0\t:ok\t:write\t1
INFO  jepsen.util - 1\t:invoke\t:read\tnil
INFO  jepsen.util - 1\t:fail\t:read\t:timed-out
"""
KV = b"""\
{:process 0, :type :invoke, :f :append, :key "0", :value "x"}
{:process 0, :type :ok, :f :append, :key "0", :value "x"}
"""
SUFFIXES = ["jsonl", "edn", "log", "txt", "parquet", "json"]


@cache
def parquet() -> bytes:
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "h.jsonl"), Path(folder, "h.parquet")
        source.write_bytes(EVENTS)
        History.read(source).write_parquet(target)
        return target.read_bytes()


@st.composite
def damaged(draw: st.DrawFn, goods: list[bytes]) -> bytes:
    """One of `goods`, with a piece of it replaced by something else."""
    good = draw(st.sampled_from(goods))
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(good))] * 2)))
    end = min(end, start + draw(st.sampled_from([1, 1, 8, len(good)])))
    middle = draw(st.binary(max_size=3) | st.sampled_from([b"", b'"', b"1e999", b"null", b"[[["]))
    return good[:start] + middle + good[end:]


def momus(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def assert_answered(result: Result) -> None:
    """An exit code that means something; a refusal is one line, and nothing else is said."""
    stopped = result.exception is None or isinstance(result.exception, SystemExit)
    assert stopped, repr(result.exception)
    assert result.exit_code in (0, 1, 2, 3), result.output
    if result.exit_code == 2:
        assert result.stdout == ""
        assert len(result.stderr.splitlines()) == 1, result.stderr
        assert "Traceback" not in result.stderr


@settings(max_examples=150)
@given(st.binary(max_size=200) | damaged([EVENTS, EDN, LOG, KV]), st.sampled_from(SUFFIXES))
def test_check_answers_whatever_is_in_the_file(content: bytes, suffix: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, f"history.{suffix}")
        path.write_bytes(content)
        assert_answered(momus("check", str(path), "--time-limit", "5s"))


@settings(max_examples=40)
@given(damaged([EVENTS, EDN, LOG, KV]), st.sampled_from(["jsonl", "parquet", "edn"]))
def test_convert_answers_whatever_is_in_the_file(content: bytes, suffix: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "history")
        path.write_bytes(content)
        assert_answered(momus("convert", str(path), str(Path(folder, f"converted.{suffix}"))))


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_parquet_file_is_never_judged(data: st.DataObject) -> None:
    content = data.draw(damaged([parquet()]))
    with TemporaryDirectory() as folder:
        path = Path(folder, "history.parquet")
        path.write_bytes(content)
        result = momus("check", str(path))
        assert_answered(result)
        assert result.exit_code == (0 if content == parquet() else 2)


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("proof")
    (folder / "h.jsonl").write_bytes(EVENTS)
    file = folder / "proof.json"
    result = momus("check", str(folder / "h.jsonl"), "--certificate", str(file))
    assert result.exit_code == 0, result.output
    return file.read_bytes()


@settings(max_examples=60)
@given(data=st.data())
def test_verify_answers_whatever_is_in_the_certificate(proof: bytes, data: st.DataObject) -> None:
    content = data.draw(st.binary(max_size=40) | damaged([proof]))
    with TemporaryDirectory() as folder:
        history, file = Path(folder, "h.jsonl"), Path(folder, "proof.json")
        history.write_bytes(EVENTS)
        file.write_bytes(content)
        result = momus("verify", str(history), str(file))
        assert_answered(result)
        if result.exit_code == 0:
            kept = ("history", "model", "initial")
            believed, good = json.loads(content), json.loads(proof)
            assert [believed[name] for name in kept[1:]] == [good[name] for name in kept[1:]]
