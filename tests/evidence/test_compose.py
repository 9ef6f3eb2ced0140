"""Several checkers over one history; none takes the others down."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import checker
from checker import Counterexample, Verdict
from checker.evidence import CHECKERS, Checker, Set, UniqueIds, checker_of, compose, keyed
from checker.evidence._keyed import by_key
from histories import History, Op
from tests.checker.drawing import drawn

HISTORY = drawn("""
    0 |-add 1-|  |-read [1]-|
    1 |-add 2-|
    2 |-generate>7-|  |-generate>8-|
""")


@dataclass(frozen=True)
class Own:
    """A checker of a user's own that does something."""

    does: Any
    name: str = "own"

    def check(self, history: History) -> Verdict:
        return Verdict(self.does(history) or True, self.name)


def endless(_: History) -> bool:
    while True:
        signal.pause()


def greedy(_: History) -> bool:
    return bool([np.ones(1 << 27) for _ in range(64)])


def killed(_: History) -> bool:
    os.kill(os.getpid(), signal.SIGKILL)
    return True


def raising(_: History) -> bool:
    raise RuntimeError("the shape is wrong")


def test_one_part_for_each_and_the_worst_counts() -> None:
    verdict = compose({"elements": Set(), "ids": UniqueIds()}).check(HISTORY)
    assert verdict.valid is False
    assert {name: part.valid for name, part in verdict.parts.items()} == {
        "elements": False,
        "ids": True,
    }
    assert verdict.counterexamples == verdict.parts["elements"].counterexamples


def test_processes_of_their_own_answer_the_same() -> None:
    checkers: dict[str, Checker] = {"elements": Set(), "ids": UniqueIds()}
    here = compose(checkers).check(HISTORY)
    apart = compose(checkers, time_limit_s=60, memory_limit_bytes=1 << 30).check(HISTORY)
    assert list(apart.parts) == list(here.parts)
    for name, part in apart.parts.items():
        expected = here.parts[name]
        assert (part.valid, part.details) == (expected.valid, expected.details)
        assert part.counterexamples == expected.counterexamples


@pytest.mark.parametrize("limits", [{}, {"time_limit_s": 60.0}])
def test_what_a_checker_raises_makes_only_its_own_part_unknown(limits: dict[str, Any]) -> None:
    verdict = compose({"bad": Own(raising), "ids": UniqueIds()}, **limits).check(HISTORY)
    assert (verdict.valid, verdict.parts["ids"].valid) == ("unknown", True)
    unknown = verdict.parts["bad"].unknown
    assert unknown is not None
    assert (unknown.cause, "RuntimeError: the shape is wrong" in unknown.sentence) == (
        "harness",
        True,
    )
    assert verdict.unknown is not None
    assert verdict.unknown.sentence.startswith("bad: ")


def test_invalid_beats_what_failed() -> None:
    verdict = compose({"bad": Own(raising), "elements": Set()}).check(HISTORY)
    assert (verdict.valid, verdict.unknown) == (False, None)


def test_a_checker_that_never_ends_is_killed_and_the_others_count() -> None:
    verdict = compose({"slow": Own(endless), "ids": UniqueIds()}, time_limit_s=2).check(HISTORY)
    unknown = verdict.parts["slow"].unknown
    assert unknown is not None
    assert (unknown.cause, unknown.sentence) == ("time", "The time limit of 2 s ran out.")
    assert verdict.parts["ids"].valid is True


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by Linux's kernel only")
def test_a_checker_that_eats_memory_meets_its_limit() -> None:
    composed = compose({"fat": Own(greedy), "ids": UniqueIds()}, memory_limit_bytes=200 << 20)
    verdict = composed.check(HISTORY)
    unknown = verdict.parts["fat"].unknown
    assert unknown is not None
    assert (unknown.cause, "210 MB" in unknown.sentence) == ("memory", True)
    assert verdict.parts["ids"].valid is True


def test_a_checker_that_is_killed_is_told_of() -> None:
    verdict = compose({"dead": Own(killed)}, time_limit_s=60).check(HISTORY)
    assert verdict.unknown is not None
    assert (verdict.unknown.cause, "SIGKILL" in verdict.unknown.sentence) == ("harness", True)


def children() -> set[str]:
    """The processes of this one, also those that ended and were not waited for."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_no_process_is_left() -> None:
    before = children()  # of other tests
    compose({"slow": Own(endless), "ids": UniqueIds()}, time_limit_s=0.2).check(HISTORY)
    assert children() <= before


def test_a_search_is_a_checker_too_and_its_certificates_come_through() -> None:
    register = drawn("0 |-write 1-| |-read 1-|")

    @dataclass(frozen=True)
    class Linearizable:
        name: str = "linearizable"

        def check(self, history: History) -> Verdict:
            return checker.linearizable(history, "register")

    verdict = compose({"search": Linearizable()}, time_limit_s=60).check(register)
    [proof] = verdict.parts["search"].certificates
    assert proof.order.tolist() == [0, 2]
    assert checker.verify(register, checker.register(), [proof]) is None


def test_numbers_of_numpy_in_a_verdict_become_plain() -> None:
    @dataclass(frozen=True)
    class Counting:
        name: str = "counting"

        def check(self, history: History) -> Verdict:
            told = {"count": np.int64(len(history)), "all": np.arange(2)}
            return Verdict(False, "counting", counterexamples=(Counterexample("x"),), details=told)

    verdict = compose({"n": Counting()}, time_limit_s=60).check(HISTORY)
    assert verdict.parts["n"].details == {"count": len(HISTORY), "all": [0, 1]}


@pytest.mark.parametrize("wrong", [{"checkers": {}}, {"time_limit_s": 0}, {"jobs": 0}])
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"compose|time_limit_s"):
        compose(**{"checkers": {"ids": UniqueIds()}, **wrong})


# --- keys ------------------------------------------------------------------------------------


def test_each_key_is_a_set_of_its_own() -> None:
    history = History.from_ops(
        [
            *_done("add", 1, "x"),
            *_done("add", 2, "y"),
            Op("start-kill", None, process="nemesis"),
            *_done("read", [1], "x"),
            *_done("read", [], "y"),
        ]
    )
    verdict = keyed(Set()).check(history)
    assert verdict.valid is False
    assert list(verdict.parts) == ['"y"']
    [found] = verdict.counterexamples
    assert (found.key, [event.index for event in found.operations]) == ("y", [2, 3, 7, 8])
    assert verdict.details["keys"] == 2
    assert (verdict.details["attempted"], verdict.details["lost_count"]) == (2, 1)


def test_a_key_that_nobody_read_leaves_the_verdict_open() -> None:
    history = History.from_ops(
        [*_done("add", 1, "x"), *_done("read", [1], "x"), *_done("add", 2, "y")]
    )
    verdict = keyed(Set()).check(history)
    assert verdict.unknown is not None
    assert verdict.unknown.sentence.startswith('Key "y": No read')


def test_a_slice_has_its_own_pairs() -> None:
    history = History.from_ops(
        [
            Op("add", 1, "x", process=0),
            Op("add", 2, "y", process=1),
            Op("add", 2, "y", process=1, type="ok"),
            Op("add", 1, "x", process=0, type="ok"),
            *_done("read", [2], "y"),
            *_done("read", [1], "x"),
        ]
    )
    assert keyed(Set()).check(history).valid is True


def test_a_slice_knows_its_own_values_only() -> None:
    """Else each of many keys would cost as much as the values of all."""
    history = History.from_ops(
        [*_done("add", 1, "x"), *_done("add", 2, "y"), *_done("read", [2, 3], "y")]
    )
    (x, of_x), (y, of_y) = by_key(history)
    assert (x, list(of_x.values), of_x.value.tolist()) == ("x", [b"1"], [0, 0])
    assert (y, list(of_y.values)) == ("y", [b"2", b"[2,3]"])
    assert [event.value for event in of_y] == [2, 2, None, [2, 3]]
    assert [event.index for event in of_y] == [2, 3, 4, 5]


def test_without_any_operation_there_is_no_verdict() -> None:
    assert keyed(Set()).check(History.from_ops([])).valid == "unknown"


# --- by name ---------------------------------------------------------------------------------


def test_every_checker_has_the_name_it_is_known_by() -> None:
    for name, make in CHECKERS.items():
        assert make().name == name


def test_checkers_have_settings() -> None:
    assert checker_of("unique-ids", f="next-id") == UniqueIds("next-id")


def test_an_unknown_name_and_an_unknown_setting_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown checker sett; try one of .*set-full"):
        checker_of("sett")
    with pytest.raises(ValueError, match=r"the checker set cannot be made with a=1"):
        checker_of("set", a=1)


def test_an_installed_package_brings_a_checker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "momus_zombies.py").write_text(
        "from checker import Verdict\n"
        "class NoZombies:\n"
        "    name = 'no-zombies'\n"
        "    def check(self, history):\n"
        "        return Verdict(True, self.name, operations=len(history))\n"
    )
    info = tmp_path / "momus_zombies-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: momus-zombies\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[momus.checkers]\nno-zombies = momus_zombies:NoZombies\nbroken = momus_nowhere:Nothing\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert checker_of("no-zombies").check(HISTORY).operations == len(HISTORY)
    with pytest.raises(ValueError, match=r"'broken' of momus_nowhere:Nothing cannot be loaded"):
        checker_of("broken")


def _done(f: str, value: Any, key: Any) -> list[Op]:
    return [
        Op(f, None if f == "read" else value, key, process=0),
        Op(f, value, key, "ok", process=0),
    ]
