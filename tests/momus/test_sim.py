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
from momus._interrupt import Ending, taken_over

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


HANGING = ("tests.simulation.systems:SYSTEM", "--bug", "hangs", "--scenario", "calm", "-q")


def interrupted(number: signal.Signals, *command: str) -> tuple[int, str, str]:
    """What a command tells that is signalled while it plays, as a terminal does: to all of it.

    Where it is started Ctrl-C is ignored, as in a script's background.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "momus", *command, "--jobs", "1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_background,
    )
    try:
        child = _only_child(process.pid)
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=60)
        _await_end_of(child)
        return process.returncode, out, err
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_campaign_tells_what_it_played_and_leaves_nobody_behind(
    number: signal.Signals,
) -> None:
    code, out, err = interrupted(number, "sim", *HANGING, "--json")
    assert (code, err) == (130, "")
    answer = json.loads(out)
    assert (answer["interrupted"], answer["played"]) == (True, 0)


@pytest.mark.parametrize(
    "command", [("shrink", *HANGING, "--seed", "0"), ("audit", *HANGING)], ids=lambda each: each[0]
)
def test_an_interrupted_search_says_so_in_one_line_and_leaves_nobody_behind(
    command: tuple[str, ...],
) -> None:
    code, out, err = interrupted(signal.SIGTERM, *command)
    assert (code, out, err.strip()) == (130, "", "momus: interrupted")


def test_a_signal_between_two_results_waits_for_neither() -> None:
    """It comes while the first is being added, of three; of what was played all is told."""
    ending, added = Ending(), []
    with taken_over(ending.signalled):
        for number in ending.until(iter(range(3))):
            os.kill(os.getpid(), signal.SIGTERM)
            added.append(number)
    assert (added, ending.asked) == ([0], True)


def test_a_signal_before_the_first_result_ends_everything() -> None:
    """While a scheduler is looked for, say: there is nothing to tell yet."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), taken_over(Ending().signalled):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def _background() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may have been started by nohup


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
