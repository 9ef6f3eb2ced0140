"""Those who judge the suites of raftkv, on histories that one can draw by hand."""

from __future__ import annotations

from histories import NEMESIS, OBSERVER, History, Json, Op
from simulation.raftkv._suites._judging import NoProgress, Recovers, nobody_died


def at(seconds: float, op: Op) -> Op:
    return Op(
        op.f,
        op.value,
        op.key,
        op.type,
        op.process,
        round(seconds * 1e9),
        op.error,
        op.node,
    )


def done(process: int, begin: float, end: float, key: str, outcome: str = "ok") -> list[Op]:
    begun = Op("write", 1, key, process=process)
    ended = {"ok": begun.ok(1), "info": begun.info("late"), "fail": begun.fail("no")}[outcome]
    return [at(begin, begun), at(end, ended)]


def fault(name: str, begin: float, end: float, *nodes: str) -> list[Op]:
    value: Json = {"targets": list(nodes)}
    start = Op(f"start-{name}", value, process=NEMESIS)
    stop = Op(f"stop-{name}", process=NEMESIS)
    return [
        at(begin, start),
        at(begin + 0.01, start.ok(value)),
        at(end - 0.01, stop),
        at(end, stop.ok()),
    ]


def history(*parts: list[Op]) -> History:
    every = [op for part in parts for op in part]
    return History.from_ops(sorted(every, key=lambda op: op.time or 0))


def told(seconds: float, node: str, **facts: Json) -> list[Op]:
    return [at(seconds, Op("observe", facts, None, "ok", OBSERVER, node=node))]


def test_a_cluster_recovers_if_every_key_can_be_used_soon_after_healing() -> None:
    played = history(
        fault("kill", 1, 2, "n1"),
        done(0, 2.1, 3.0, "k0", "info"),
        done(1, 3.1, 3.2, "k0"),
        done(2, 3.3, 3.4, "k1"),
    )
    verdict = Recovers(2.0).check(played)
    assert verdict.valid is True
    assert verdict.details["took_s"] == {"k0": 1.2, "k1": 1.4}


def test_a_key_that_stays_out_of_reach_is_named() -> None:
    played = history(
        fault("kill", 1, 2, "n1"),
        done(0, 2.1, 2.2, "k0"),
        done(1, 2.3, 3.2, "k1", "info"),
        done(2, 4.3, 5.2, "k1", "fail"),
    )
    verdict = Recovers(2.0).check(played)
    assert verdict.valid is False
    assert "k1" in verdict.counterexamples[0].sentence
    assert len(verdict.counterexamples) == 1


def test_what_succeeds_too_late_has_not_recovered() -> None:
    played = history(fault("kill", 1, 2, "n1"), done(0, 4.5, 4.6, "k0"))
    assert Recovers(2.0).check(played).valid is False


def test_only_the_last_healing_counts() -> None:
    played = history(
        fault("kill", 1, 2, "n1"),
        done(0, 2.1, 3.1, "k0", "info"),
        done(1, 5.0, 5.9, "k0", "info"),
        fault("pause", 6, 7, "n1"),
        done(2, 7.1, 7.2, "k0"),
    )
    assert Recovers(2.0).check(played).valid is True


def test_nothing_is_known_where_nobody_tried() -> None:
    played = history(done(0, 0.1, 0.2, "k0"), fault("kill", 1, 2, "n1"))
    assert Recovers(2.0).check(played).valid == "unknown"


def test_a_key_tried_too_shortly_says_nothing() -> None:
    played = history(
        fault("kill", 1, 2, "n1"), done(0, 2.1, 3.0, "k0", "info"), done(1, 2.2, 2.3, "k1")
    )
    verdict = Recovers(2.0).check(played)
    assert verdict.valid is True
    assert verdict.details["took_s"] == {"k1": 0.3}


def test_nothing_may_be_acknowledged_while_a_majority_is_down() -> None:
    down = fault("kill", 1, 4, "n1", "n2", "n3")
    waiting = history(down, done(0, 1.5, 2.4, "k0", "info"), done(1, 3.5, 4.2, "k0"))
    assert NoProgress("kill", 3).check(waiting).valid is True
    going_on = history(down, done(0, 1.5, 1.6, "k0"))
    verdict = NoProgress("kill", 3).check(going_on)
    assert verdict.valid is False
    assert "n1, n2, n3" in verdict.counterexamples[0].sentence


def test_a_minority_that_is_down_forbids_nothing() -> None:
    played = history(fault("kill", 1, 4, "n1", "n2"), done(0, 1.5, 1.6, "k0"))
    assert NoProgress("kill", 3).check(played).valid == "unknown"


def test_a_node_that_dies_by_itself_is_named() -> None:
    calm = history(told(1, "n1", event="role", role="primary"))
    assert nobody_died().check(calm).valid is True
    fell = history(told(1, "n2", event="died", why="KeyError: 'k'"))
    verdict = nobody_died().check(fell)
    assert verdict.valid is False
    assert "n2 died by itself" in verdict.counterexamples[0].sentence
    assert "KeyError" in verdict.counterexamples[0].sentence
    assert nobody_died(("OSError",)).check(fell).valid is False
    assert nobody_died(("KeyError",)).check(fell).valid is True
