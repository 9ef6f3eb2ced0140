"""The door: exit codes, one-line errors, quick starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from histories import HistoryError
from momus._cli import cli
from momus._door import FrontDoor
from momus._exits import LINE_CHARACTERS_MAX, Broken, ExitCode, Refusal, code_of, one_line

REPOSITORY = Path(__file__).parents[2]


def leave(error: BaseException) -> tuple[int, str, str]:
    """What a command that raises `error` gives: code, stdout, stderr."""

    @click.group(cls=FrontDoor)
    def door() -> None: ...

    @door.command()
    def go() -> int:
        raise error

    result = CliRunner().invoke(door, ["go"])
    return result.exit_code, result.stdout, result.stderr


def test_each_verdict_has_its_exit_code() -> None:
    assert [int(code_of(valid)) for valid in (True, False, "unknown")] == [0, 1, 3]


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (Refusal("no such thing; try another"), 2, "momus: no such thing; try another\n"),
        (Broken("n1 did not start; see its log"), 4, "momus: n1 did not start; see its log\n"),
        (HistoryError("a.jsonl:3: not JSON; try"), 2, "momus: a.jsonl:3: not JSON; try\n"),
        (click.ClickException("bad"), 2, "momus: bad\n"),
        (FileNotFoundError(2, "No such file", "x.html"), 2, "momus: x.html: No such file\n"),
        (KeyboardInterrupt(), 130, "momus: interrupted\n"),
    ],
)
def test_an_error_is_one_line_on_stderr_and_nothing_on_stdout(
    error: BaseException, code: int, line: str
) -> None:
    assert leave(error) == (code, "", line) or leave(error) == (code, "", "\n" + line)


def test_a_defect_of_ours_is_told_as_one_with_code_4() -> None:
    code, stdout, stderr = leave(RuntimeError("oops"))
    assert (code, stdout) == (ExitCode.BROKEN, "")
    assert "defect of momus: RuntimeError: oops" in stderr
    assert "Traceback" not in stderr


def test_a_message_stays_one_bounded_line_whatever_is_in_it() -> None:
    assert one_line("a\nb\x1b[31m\tc") == "a b\N{REPLACEMENT CHARACTER}[31m c"
    assert len(one_line("x" * 10**6)) < 2 * LINE_CHARACTERS_MAX


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["check"],
        ["check", "--initial", "{", "x"],
        ["check", "--time-limit", "soon", "x"],
        ["check", "--memory-limit", "-4GB", "x"],
        ["check", "--jobs", "0", "x"],
        ["check", "/no/such/file"],
        ["check", "/no/such/*.jsonl"],
        ["check", "/dev/zero"],
        ["check", str(REPOSITORY / "tests")],
    ],
)
def test_usage_errors_exit_with_2_and_leave_stdout_empty(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "try" in result.stderr.lower()
    assert result.stderr.count("\n") == 1


def test_help_and_version_answer() -> None:
    for arguments in (["--help"], ["check", "--help"], ["--version"]):
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0
        assert "momus" in result.stdout


def test_help_imports_none_of_the_heavy_rooms() -> None:
    program = (
        "import sys\n"
        "from momus._cli import cli\n"
        "cli.main(['--help'], standalone_mode=False)\n"
        "heavy = {'numpy', 'pyarrow', 'pandas', 'matplotlib', 'asyncio', 'paramiko', 'rich.live'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = run_python("-c", program)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "momus", "--version"],
        cwd=REPOSITORY,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert done.stderr == ""
    assert done.returncode not in (1, 2, 3, 4)


@pytest.mark.parametrize("as_json", [True, False])
def test_a_terminal_without_unicode_is_no_error(tmp_path: Path, as_json: bool) -> None:
    lines = [
        '{"process": 0, "type": "invoke", "f": "read", "value": null}',
        '{"process": 0, "type": "ok", "f": "read", "value": "\u2603"}',
    ]
    (tmp_path / "snow.jsonl").write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", "momus", "check", "snow.jsonl", *(["--json"] if as_json else [])],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    if as_json:
        assert json.loads(done.stdout)["valid"] is False
    else:
        assert b"\\u2603" in done.stdout


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
