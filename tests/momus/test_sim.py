"""``momus sim`` and ``momus replay``: a campaign, and one of its failures again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from momus._cli import cli

ROOT = Path(__file__).parents[2]
FAILING = ["register", "--scenario", "crash", "--bug", "no-sync"]
REPLAYED = ["replay", *FAILING, "--seed", "0"]


def momus(*args: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli, args)
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("campaign")
    code, out, _ = momus(
        "sim", *FAILING, "--seeds", "0..2", "--jobs", "1", "--json", "--quiet",
        "--junit", str(folder / "junit.xml"), "--store", str(folder / "store"),
    )  # fmt: skip
    return code, json.loads(out), folder


def test_a_campaign_that_finds_something_is_invalid(
    campaign: tuple[int, dict[str, Any], Path],
) -> None:
    code, answer, _ = campaign
    assert code == 1
    assert answer["valid"] is False
    assert answer["endings"] == {"valid": 0, "invalid": 3, "hung": 0, "broke": 0, "unknown": 0}
    group = answer["groups"][0]
    assert group["cause"]["checker"] == "counts never go back"
    assert group["replay"] == "momus replay register --scenario crash --bug no-sync --seed 0"


def test_its_suites_have_a_case_for_every_hundred_seeds(
    campaign: tuple[int, dict[str, Any], Path],
) -> None:
    suite = ElementTree.parse(campaign[2] / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    assert [suite.get(name) for name in ("name", "tests", "failures")] == [
        "register crash",
        "1",
        "1",
    ]
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "momus replay register" in str(failure.text)


def test_what_it_kept_is_replayed_byte_by_byte(
    campaign: tuple[int, dict[str, Any], Path],
) -> None:
    _, answer, _ = campaign
    run = answer["runs"][1]
    code, out, _ = momus("replay", run)
    assert code == 1
    assert answer["groups"][0]["digest"] in out
    assert "byte by byte the history that was recorded" in out
    assert momus("check", run, "--model", "register")[0] == 1
    assert (Path(run) / "report.html").exists()


def test_a_replay_tells_what_a_check_tells() -> None:
    code, out, _ = momus(*REPLAYED)
    assert code == 1
    assert out.startswith("INVALID  register crash with no-sync, seed 0")
    assert "went back" in out
    assert "next: momus shrink register --scenario crash --bug no-sync --seed 0" in out


def test_another_history_than_the_recorded_one_is_told() -> None:
    sound = ["replay", "register", "--scenario", "calm", "--seed", "0"]
    code, out, _ = momus(*sound, "--digest", "sha256:00")
    assert code == 4
    assert "NOT the history that was recorded" in out
    assert momus(*sound)[0] == 0


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("sim", "no-such"), "there is no system 'no-such'"),
        (("sim", "register", "--seeds", "many"), "'many' says no seeds; try --seeds 1000"),
        (("sim", "register", "--seeds", "9..3"), "'9..3' is 0 seeds"),
        (("sim", "register", "--scenario", "clam"), "has no scenario 'clam'; it has calm"),
        (("sim", "register", "--bug", "typo"), "register has no bug 'typo'; it has no-sync"),
        (("replay", "register"), "name a case with --scenario (calm, "),
        (("replay", "register", "--scenario", "calm", "--seed", "1", "--bug", "x"), "no bug 'x'"),
        (("replay", "no-such.json"), "no-such.json: No such file"),
    ],
)
def test_what_cannot_be_played_is_one_line(args: tuple[str, ...], told: str) -> None:
    code, out, err = momus(*args)
    assert (code, out) == (2, "")
    assert told in err
    assert len(err.splitlines()) == 1


def test_a_file_that_is_no_case_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    for text in ("[]", "{", '{"momus": "case", "case": {"seed": "x"}}'):
        path.write_text(text)
        code, _, err = momus("replay", str(path))
        assert code == 2
        assert "is no case file" in err


def test_an_interrupted_campaign_tells_what_it_played_and_leaves_nobody_behind() -> None:
    """The second run hangs; Ctrl-C goes to the whole group, as from a terminal."""
    command = [sys.executable, "-m", "momus", "sim", "tests.simulation.systems:SYSTEM"]
    process = subprocess.Popen(
        [*command, "--bug", "hangs", "--scenario", "calm", "--json", "--jobs", "1", "-q"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # Whoever runs the tests in the background may have them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        child = _only_child(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 130
        assert json.loads(out)["interrupted"] is True
        _await_end_of(child)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def _only_child(pid: int) -> int:
    """The child of a process, as soon as it has one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.02)
    raise AssertionError("no player was started")


def _await_end_of(pid: int) -> None:
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"the player {pid} lives on"
        time.sleep(0.02)


def test_a_shrunk_case_is_a_file_to_replay(tmp_path: Path) -> None:
    path = tmp_path / "small.json"
    options = ("--time-limit", "10s", "--out", str(path), "--jobs", "1", "-q")
    code, out, _ = momus("shrink", *REPLAYED[1:], *options)
    assert code == 0
    assert f"momus replay {path}" in out
    code, out, _ = momus("replay", str(path))
    assert code == 1
    assert "byte by byte the history that was recorded" in out
    code, _, err = momus("shrink", "register", "--scenario", "calm", "--seed", "0", "-q")
    assert code == 2
    assert "the case does not fail" in err
