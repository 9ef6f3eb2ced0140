"""What the nemesis believes, and what it does not: receipts, tried with a fault that lies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from cluster import Journal
from histories import Json, Op
from nemesis import Declined, Field, Nemesis, NotHealed, Order, Proof


class Lamp:
    """A fault that switches lamps off, or is told to do less, or more, than it should."""

    name = "lamp"
    lane = "light"
    intact = frozenset({"bright"})
    broken = frozenset({"dark"})

    def __init__(self) -> None:
        self.lamps = {"n1": "bright", "n2": "bright", "n3": "bright"}
        self.dud: set[str] = set()
        self.also: set[str] = set()
        self.stuck: dict[str, str] = {}

    def choose(self, nodes: Sequence[str], random: Random, observed: Any) -> Json:  # noqa: ARG002
        return {"targets": [random.choice(nodes)]}

    async def setup(self, field: Field) -> None: ...

    async def read(self, value: Json) -> Order:
        if not isinstance(value, dict):
            raise ValueError(f"lamps need targets, not {value!r}")
        targets = tuple(value["targets"])
        return Order(frozenset(targets), targets)

    async def prove(self, things: frozenset[str]) -> Proof:  # noqa: ARG002
        return Proof(dict(self.lamps))

    async def inject(self, order: Order) -> dict[str, str]:
        for lamp in (order.things | self.also) - self.dud:
            self.lamps[lamp] = "dark"
        return {}

    async def heal(self) -> dict[str, str]:
        for lamp in self.lamps.keys() - self.stuck.keys():
            self.lamps[lamp] = "bright"
        return dict(self.stuck)


@pytest.fixture
def lamp() -> Lamp:
    return Lamp()


@pytest.fixture
def nemesis(lamp: Lamp, tmp_path: Path) -> Nemesis:
    hosts: Any = [SimpleNamespace(name=name) for name in lamp.lamps]
    nemesis = Nemesis([lamp], hosts, Journal(tmp_path / "faults.jsonl"))
    asyncio.run(nemesis.setup())
    return nemesis


def invoke(nemesis: Nemesis, f: str, value: Json = None) -> Op:
    return asyncio.run(nemesis.invoke(Op(f, value)))


ONE = {"targets": ["n1"]}


def test_a_fault_that_worked_has_a_receipt_with_what_was_seen_before_and_during(
    nemesis: Nemesis,
) -> None:
    done = invoke(nemesis, "start-lamp", {"targets": ["n1"], "choice": "one"})
    assert (done.type, done.error) == ("ok", None)
    assert done.value == {
        "targets": ["n1"],
        "choice": "one",
        "receipt": {
            "before": {"bright": ["n1", "n2", "n3"]},
            "during": {"dark": ["n1"], "bright": ["n2", "n3"]},
            "ok": True,
        },
    }


def test_a_stopped_fault_has_a_receipt_with_what_was_seen_during_and_after(
    nemesis: Nemesis,
) -> None:
    invoke(nemesis, "start-lamp", ONE)
    done = invoke(nemesis, "stop-lamp")
    assert done.type == "ok"
    assert done.value == {
        "targets": ["n1"],
        "receipt": {
            "during": {"dark": ["n1"], "bright": ["n2", "n3"]},
            "after": {"bright": ["n1", "n2", "n3"]},
            "ok": True,
        },
    }


def test_a_fault_without_effect_is_no_success(nemesis: Nemesis, lamp: Lamp) -> None:
    lamp.dud = {"n1"}
    done = invoke(nemesis, "start-lamp", ONE)
    assert done.type == "info"
    assert done.error == "n1 was bright after the strike, not dark"
    assert done.value["receipt"]["ok"] is False


def test_what_was_broken_before_was_not_broken_by_the_fault(nemesis: Nemesis, lamp: Lamp) -> None:
    lamp.lamps["n1"] = "dark"
    done = invoke(nemesis, "start-lamp", ONE)
    assert done.type == "info"
    assert done.error == "n1 was dark before the strike, not bright"


def test_a_fault_that_breaks_more_than_it_was_told_to_is_found_out(
    nemesis: Nemesis, lamp: Lamp
) -> None:
    lamp.also = {"n3"}
    done = invoke(nemesis, "start-lamp", ONE)
    assert done.error == "n3 was bright and is dark, though nobody struck it"


def test_a_fault_that_was_healed_behind_our_back_is_noticed_when_it_is_stopped(
    nemesis: Nemesis, lamp: Lamp
) -> None:
    invoke(nemesis, "start-lamp", ONE)
    lamp.lamps["n1"] = "bright"
    done = invoke(nemesis, "stop-lamp")
    assert done.type == "info"
    assert done.error == "n1 was bright before it was healed, not dark"


def test_what_cannot_be_healed_is_named_and_tried_again(nemesis: Nemesis, lamp: Lamp) -> None:
    invoke(nemesis, "start-lamp", {"targets": ["n1", "n2"]})
    lamp.stuck = {"n2": "no route to host"}
    done = invoke(nemesis, "stop-lamp")
    assert done.type == "info"
    assert "could not heal n2: no route to host" in done.error
    assert "n2 was dark after it was healed, not bright" in done.error
    lamp.stuck = {}
    assert invoke(nemesis, "stop-lamp").type == "ok"


def test_strikes_add_up_and_one_stop_heals_them_all(nemesis: Nemesis, lamp: Lamp) -> None:
    invoke(nemesis, "start-lamp", ONE)
    assert invoke(nemesis, "start-lamp", {"targets": ["n1", "n3"]}).type == "ok"
    assert invoke(nemesis, "stop-lamp").value["targets"] == ["n1", "n3"]
    assert set(lamp.lamps.values()) == {"bright"}


def test_stopping_what_was_never_started_is_no_trouble(nemesis: Nemesis) -> None:
    done = invoke(nemesis, "stop-lamp")
    assert (done.type, done.value) == ("ok", {"targets": [], "receipt": {"ok": True}})


def test_striking_nobody_is_a_success_only_if_it_was_wished_for(nemesis: Nemesis) -> None:
    assert invoke(nemesis, "start-lamp", {"targets": [], "choice": "none"}).type == "ok"
    done = invoke(nemesis, "start-lamp", {"targets": [], "choice": "minority"})
    assert done.type == "info"
    assert "nothing to strike: minority is nobody" in done.error


@pytest.mark.parametrize(
    ("f", "value", "complaint"),
    [
        ("start-quake", ONE, "knows no 'start-quake', only start-lamp, stop-lamp"),
        ("lamp", ONE, "knows no 'lamp'"),
        ("start-lamp", 7, "lamps need targets, not 7"),
    ],
)
def test_an_order_that_makes_no_sense_is_answered_not_obeyed(
    nemesis: Nemesis, lamp: Lamp, f: str, value: Json, complaint: str
) -> None:
    done = invoke(nemesis, f, value)
    assert done.type == "info"
    assert complaint in done.error
    assert done.value == value
    assert set(lamp.lamps.values()) == {"bright"}


def test_teardown_heals_whatever_is_left(nemesis: Nemesis, lamp: Lamp) -> None:
    invoke(nemesis, "start-lamp", ONE)
    asyncio.run(nemesis.teardown())
    assert set(lamp.lamps.values()) == {"bright"}


def test_teardown_names_the_hosts_that_stay_broken_and_what_to_do(
    nemesis: Nemesis, lamp: Lamp, tmp_path: Path
) -> None:
    invoke(nemesis, "start-lamp", ONE)
    lamp.stuck = {"n1": "no route to host"}
    with pytest.raises(NotHealed, match="lamp on n1: no route to host") as raised:
        asyncio.run(nemesis.teardown())
    assert f"momus heal {tmp_path / 'faults.jsonl'}" in str(raised.value)
    assert raised.value.hosts == {"lamp": {"n1": "no route to host"}}


def test_what_the_cluster_turned_out_unable_to_do_is_declined(lamp: Lamp, nemesis: Nemesis) -> None:
    async def unable(order: Order) -> dict[str, str]:  # noqa: ARG001
        raise Declined("nobody is at the switch")

    lamp.inject = unable  # type: ignore[method-assign]
    done = invoke(nemesis, "start-lamp", ONE)
    assert (done.type, done.error) == ("info", "nobody is at the switch")
    assert done.value == {**ONE, "receipt": {"ok": False, "declined": True}}
    assert invoke(nemesis, "stop-lamp").type == "ok"


def test_a_fault_of_which_nothing_came_is_healed_and_declined(lamp: Lamp, nemesis: Nemesis) -> None:
    async def for_nothing() -> dict[str, str]:
        lamp.lamps |= dict.fromkeys(lamp.lamps, "bright")
        raise Declined("nobody has noticed")

    lamp.heal = for_nothing  # type: ignore[method-assign]
    assert invoke(nemesis, "start-lamp", ONE).type == "ok"
    done: Any = invoke(nemesis, "stop-lamp")
    assert (done.type, done.error) == ("info", "nobody has noticed")
    assert done.value["receipt"]["declined"] is True
    assert done.value["receipt"]["after"] == {"bright": ["n1", "n2", "n3"]}
    asyncio.run(nemesis.teardown())


def test_a_fault_that_could_not_be_undone_is_never_only_declined(
    lamp: Lamp, nemesis: Nemesis
) -> None:
    async def in_vain() -> dict[str, str]:
        raise Declined("nobody has noticed")

    lamp.heal = in_vain  # type: ignore[method-assign]
    assert invoke(nemesis, "start-lamp", ONE).type == "ok"
    done: Any = invoke(nemesis, "stop-lamp")
    assert "n1 was dark after it was healed, not bright" in done.error
    assert "declined" not in done.value["receipt"]
