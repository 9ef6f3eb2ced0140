"""Runs that prove nothing, each called so for the right reason, and the nearest that do."""

from __future__ import annotations

from typing import Any

import pytest

import momus
from checker.evidence import Vacuity
from histories import Event, History

S = 1_000_000_000


class Play:
    """Writes a history down: who did what, when (seconds), on which node."""

    def __init__(self) -> None:
        self.steps: list[tuple[float, Any, str, str, Any, str | None]] = []

    def op(
        self,
        process: int,
        begin: float,
        end: float | None = None,
        *,
        f: str = "write",
        outcome: str = "ok",
        node: str = "n1",
    ) -> Play:
        self.steps.append((begin, process, "invoke", f, 1, node))
        if end is not None:
            self.steps.append((end, process, outcome, f, 1, node))
        return self

    def fault(self, name: str, start: float, stop: float | None = None) -> Play:
        self.steps.append((start - 0.1, "nemesis", "invoke", f"start-{name}", None, None))
        self.steps.append((start, "nemesis", "ok", f"start-{name}", None, None))
        if stop is not None:
            self.steps.append((stop - 0.1, "nemesis", "invoke", f"stop-{name}", None, None))
            self.steps.append((stop, "nemesis", "ok", f"stop-{name}", None, None))
        return self

    def history(self, **meta: Any) -> History:
        self.steps.sort(key=lambda step: step[0])
        return History.from_events(
            (
                Event(index, round(at * S), process, kind, f, None, value, None, node)  # type: ignore[arg-type]
                for index, (at, process, kind, f, value, node) in enumerate(self.steps)
            ),
            meta,
        )


def load(*processes: int, seconds: range = range(20), **how: Any) -> Play:
    """Each process does one operation a second, all at the same time; process n on node n+1."""
    play = Play()
    for process in processes:
        for second in seconds:
            play.op(process, second + 0.1, second + 0.9, node=f"n{process + 1}", **how)
    return play


def reasons(play: Play, checker: Vacuity | None = None) -> list[tuple[str, str]]:
    verdict = (checker or Vacuity()).check(play.history())
    found = [(each["about"], each["name"]) for each in verdict.details["reasons"]]
    assert verdict.valid == ("unknown" if found else True)
    assert (verdict.unknown is not None) is bool(found)
    if verdict.unknown is not None:
        assert verdict.unknown.cause == "vacuous"
        assert verdict.unknown.remedy
    return found


def test_two_clients_that_succeed_show_something() -> None:
    assert reasons(load(0, 1)) == []


def test_a_run_in_which_every_operation_failed() -> None:
    assert reasons(load(0, 1, outcome="fail")) == [("operations", "")]
    assert reasons(load(0, 1, outcome="info")) == [("operations", "")]
    sentence = Vacuity().check(load(0, 1, outcome="fail").history()).unknown
    assert sentence is not None
    assert "all 40 failed" in sentence.sentence


def test_a_history_without_operations() -> None:
    assert reasons(Play()) == [("operations", "")]
    assert reasons(Play().fault("kill", 1, 2)) == [("operations", "")]


def test_a_single_client() -> None:
    assert reasons(load(0)) == [("clients", "")]
    assert reasons(load(0), Vacuity(clients=1)) == []


def test_a_client_that_goes_on_under_new_numbers_is_still_one() -> None:
    play = Play()
    for life in range(4):
        play.op(life * 5, 10 * life + 1, 10 * life + 2)
        play.op(life * 5, 10 * life + 3, 10 * life + 4, outcome="info")
    assert reasons(play) == [("clients", "")]
    assert reasons(play.op(1, 0.5, 0.6).op(1, 2.1, 2.2)) == []


def test_a_client_that_never_succeeds_is_no_second_one() -> None:
    play = load(0)
    for second in range(20):
        play.op(1, second + 0.1, second + 0.9, outcome="fail")
    assert reasons(play) == [("clients", "")]


def test_a_client_that_succeeded_once_before_the_other_began_was_no_company() -> None:
    play = load(1, outcome="fail").op(2, 0.2, 0.3)
    play.op(1, 20.2, 20.4, node="n2").op(1, 21.2, 21.4, node="n2").op(2, 22.1, 22.2, outcome="fail")
    assert ("clients", "") in reasons(play)
    both = load(1, outcome="fail").op(2, 0.2, 0.3)
    both.op(1, 20.2, 20.4, node="n2").op(1, 21.2, 21.4, node="n2").op(2, 22.1, 22.2)
    assert ("clients", "") not in reasons(both)


def test_an_operation_that_never_succeeds() -> None:
    play = load(0, 1)
    play.op(2, 1, 2, f="cas", outcome="fail").op(3, 1, 2, f="cas", outcome="info")
    assert reasons(play) == [("operation", "cas")]
    assert reasons(play.op(2, 3, 4, f="cas")) == []
    assert reasons(play, Vacuity(operation=2)) == [("operation", "cas")]


def test_one_success_in_a_thousand_is_too_few() -> None:
    play = load(0, 1)
    for number in range(150):
        play.op(2, number / 10, number / 10 + 0.05, f="cas", outcome="fail")
    play.op(2, 16, 17, f="cas")
    assert reasons(play) == [("operation", "cas")]
    assert reasons(play, Vacuity(share=0.0)) == []


def test_a_node_that_never_took_part() -> None:
    play = load(0, 1)
    for second in range(20):
        play.op(2, second + 0.1, second + 0.9, outcome="info", node="n3")
    assert reasons(play) == [("node", "n3")]
    assert reasons(play, Vacuity(spare=1)) == []
    assert reasons(play, Vacuity(node=0)) == []


def test_a_wedged_node_never_comes_back_after_the_fault() -> None:
    play = load(0, 1).fault("pause", 5, 8)
    for second in range(20):
        outcome = "ok" if second < 5 else "info"
        play.op(2, second + 0.1, second + 0.9, outcome=outcome, node="n3")
    assert reasons(play) == [("node", "n3")]
    verdict = Vacuity().check(play.history())
    assert verdict.unknown is not None
    assert "Node n3 is wedged: nothing succeeded there after 8.1 s" in verdict.unknown.sentence
    assert reasons(play.op(3, 19.2, 19.8, node="n3")) == [], "it did come back"


def test_a_node_is_not_wedged_while_it_is_being_hurt() -> None:
    play = load(0, 1).fault("pause", 5, 18)
    for second in range(20):
        outcome = "ok" if second < 5 else "fail"
        play.op(2, second + 0.1, second + 0.9, outcome=outcome, node="n3")
    assert reasons(play) == []


def test_a_fault_that_never_overlapped_the_load() -> None:
    before, after = load(0, 1, seconds=range(5)), load(0, 1, seconds=range(10, 15))
    before.steps += after.steps
    before.fault("kill", 6, 8)
    assert reasons(before) == [("window", "kill")]
    verdict = Vacuity().check(before.history())
    assert verdict.unknown is not None
    assert "never while a client was at work" in verdict.unknown.sentence
    assert reasons(before.fault("kill", 11.5, 12.5)) == [], "the second one did"


def test_a_fault_without_any_success_until_the_next_one() -> None:
    play = load(0, 1, seconds=range(5)).fault("kill", 6, 8).fault("pause", 10, 12)
    for second in range(6, 10):
        play.op(2, second + 0.1, second + 0.8, outcome="fail")
    for process in (3, 4):
        play.op(process, 10.5, 11)
    assert reasons(play) == [("window", "kill")]
    assert reasons(play.op(5, 8.5, 9)) == [], "what succeeds in its aftermath counts"


def test_a_fault_that_nobody_stopped_lasts_to_the_end() -> None:
    assert reasons(load(0, 1).fault("kill", 5)) == []
    assert reasons(load(0, 1).fault("kill", 25)) == [("window", "kill")]


def test_all_reasons_are_told() -> None:
    play = load(0).op(1, 1, 2, f="cas", outcome="fail", node="n2").fault("kill", 30, 31)
    about = [("clients", ""), ("operation", "cas"), ("node", "n2"), ("window", "kill")]
    assert reasons(play) == about


def test_without_a_clock_there_are_no_windows() -> None:
    play = load(0, 1).fault("kill", 30, 31)
    timeless = [
        Event(index, 7, event.process, event.type, event.f, None, event.value, None, event.node)
        for index, event in enumerate(play.history())
    ]
    assert Vacuity().check(History.from_events(timeless)).valid is True


@pytest.mark.parametrize("said", [None, {"clients": 2}, {"clients": 1}])
def test_a_valid_run_is_taken_back_and_an_invalid_one_is_not(said: Any) -> None:
    play = load(0)
    meta = {"workload": "register", "model": "register", **({"minimums": said} if said else {})}
    verdict = momus.check(play.history(**meta))
    assert verdict.valid is (True if said == {"clients": 1} else "unknown")
    wrong = play.op(0, 25, 26, f="read")
    wrong.steps[-1] = (26, 0, "ok", "read", 77, "n1")
    assert momus.check(wrong.history(**meta)).valid is False


def test_histories_of_others_are_asked_only_where_somebody_says_so() -> None:
    history = load(0).history(model="register")
    assert momus.check(history).valid is True
    assert momus.check(history, minimums={"clients": 2}).valid == "unknown"


@pytest.mark.parametrize("minimums", [{"client": 2}, {"clients": -1}, {"clients": "2"}])
def test_minimums_of_nothing_are_refused(minimums: Any) -> None:
    with pytest.raises(momus.Refusal, match="minimum of"):
        momus.check(load(0).history(model="register"), minimums=minimums)
