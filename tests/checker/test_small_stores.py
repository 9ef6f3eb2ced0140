"""Several registers, a bank, a bounded queue: drawn by hand, each with its nearest neighbour."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import checker
from checker import Model, ModelError
from histories import Json
from tests.checker.bruteforce import defined_by
from tests.checker.drawing import drawn
from tests.checker.random_histories import Client, Object
from tests.checker.test_oracle_agrees import check_batch

REGISTERS = {
    "registers hold null at first": (True, '0 |-read {"x":null,"y":null}-|'),
    "what is written together is there together": (
        True,
        """
        0 |-write {"x":1,"y":1}-|
        1                          |-read {"x":1,"y":1}-|
    """,
    ),
    "a read does not see half of a write": (
        False,
        """
        0 |-------write {"x":1,"y":1}--------|
        1    |-read {"x":1,"y":null}-|
    """,
    ),
    "it sees all of it or nothing": (
        True,
        """
        0 |-------write {"x":1,"y":1}--------|
        1    |-read {"x":null,"y":null}-|
    """,
    ),
    "a write leaves other registers alone": (
        True,
        '0 |-write {"x":1}-| |-write {"y":2}-| |-read {"x":1,"y":2}-|',
    ),
    "so it does not undo them": (
        False,
        '0 |-write {"x":1}-| |-write {"y":2}-| |-read {"x":null,"y":2}-|',
    ),
    "a transaction sees what it wrote itself": (
        True,
        '0 |-txn [["w","x",1],["r","x",null]] > [["w","x",1],["r","x",1]]-|',
    ),
    "and not what was before": (
        False,
        '0 |-txn [["w","x",1],["r","x",null]] > [["w","x",1],["r","x",null]]-|',
    ),
    "two transactions that swap cannot both be first": (
        False,
        """
        0 |-txn [["r","x",null],["w","y",1]]-|
        1 |-txn [["r","y",null],["w","x",1]]-|
    """,
    ),
    "one of them comes after the other": (
        True,
        """
        0 |-txn [["r","x",null],["w","y",1]]-|
        1 |-txn [["r","y",null],["w","x",1]] > [["r","y",1],["w","x",1]]-|
    """,
    ),
    "a crashed transaction happens whole or not at all": (
        False,
        """
        0 |-txn [["w","x",1],["w","y",1]]-...
        1                                      |-read {"x":1,"y":null}-|
    """,
    ),
    "and perhaps late": (
        True,
        """
        0 |-txn [["w","x",1],["w","y",1]]-...
        1                           |-read {"x":null}-| |-read {"y":1,"x":1}-|
    """,
    ),
    "registers may have numbers for names": (
        True,
        '0 |-txn [["w",7,1]]-| |-read {"7":1}-|',
    ),
}

BANK = {
    "the balances at first": (True, '0 |-read {"a":5,"b":5}-|'),
    "money moves": (
        True,
        '0 |-transfer {"from":"a","to":"b","amount":3}-| |-read {"a":2,"b":8}-|',
    ),
    "it does not appear": (
        False,
        '0 |-transfer {"from":"a","to":"b","amount":3}-| |-read {"a":5,"b":8}-|',
    ),
    "nobody sees it on its way": (
        False,
        """
        0 |---transfer {"from":"a","to":"b","amount":3}---|
        1    |-read {"a":2,"b":5}-|
    """,
    ),
    "only before or after": (
        True,
        """
        0 |---transfer {"from":"a","to":"b","amount":3}---|
        1    |-read {"a":2,"b":8}-|
    """,
    ),
    "an account is not overdrawn": (
        False,
        '0 |-transfer {"from":"a","to":"b","amount":6}-|',
    ),
    "that is refused": (
        True,
        '0 |-transfer {"from":"a","to":"b","amount":6} > false-|',
    ),
    "a refusal is an observation": (
        False,
        '0 |-transfer {"from":"a","to":"b","amount":5} > false-|',
    ),
    "the last money is spent once": (
        False,
        """
        0 |-transfer {"from":"a","to":"b","amount":4}-|
        1 |-transfer {"from":"a","to":"b","amount":4}-|
    """,
    ),
    "unless some comes in between": (
        True,
        """
        0 |-transfer {"from":"a","to":"b","amount":4}-|
        1 |-transfer {"from":"a","to":"b","amount":4}-|
        2 |-transfer {"from":"b","to":"a","amount":4}-|
    """,
    ),
    "a crashed transfer may have moved it": (
        True,
        """
        0 |-transfer {"from":"a","to":"b","amount":5}-...
        1                                                  |-read {"a":0,"b":10}-|
    """,
    ),
    "whole": (
        False,
        """
        0 |-transfer {"from":"a","to":"b","amount":5}-...
        1                                                  |-read {"a":0,"b":5}-|
    """,
    ),
    "an account is missing": (False, '0 |-read {"a":5}-|'),
    "from and to may be the same": (
        True,
        '0 |-transfer {"from":"a","to":"a","amount":5}-| |-read {"a":5,"b":5}-|',
    ),
}

BOUNDED = {
    "first in, first out": (True, "0 |-enqueue 1-| |-enqueue 2-| |-dequeue >1-| |-dequeue >2-|"),
    "not last": (False, "0 |-enqueue 1-| |-enqueue 2-| |-dequeue >2-|"),
    "there is room for two": (False, "0 |-enqueue 1-| |-enqueue 2-| |-enqueue 3-|"),
    "the third is told that it is full": (
        True,
        "0 |-enqueue 1-| |-enqueue 2-| |-enqueue 3>false-|",
    ),
    "which is not true of one": (False, "0 |-enqueue 1-| |-enqueue 2>false-|"),
    "unless a dequeue makes room": (
        True,
        """
        0 |-enqueue 1-| |-enqueue 2-| |-enqueue 3-|
        1                               |-dequeue >1-|
    """,
    ),
    "which comes too late here": (
        False,
        """
        0 |-enqueue 1-| |-enqueue 2-| |-enqueue 3-|
        1                                             |-dequeue >1-|
    """,
    ),
    "a crashed enqueue may fill it": (
        True,
        """
        0 |-enqueue 1-|
        1 |-enqueue 2-...
        2                  |-enqueue 3>false-|
    """,
    ),
    "but not before it was invoked": (
        False,
        """
        0 |-enqueue 1-|                        |-dequeue >1-|
        1                                    |-enqueue 2-...
        2                 |-enqueue 3>false-|
    """,
    ),
    "empty is an observation": (False, "0 |-enqueue 1-| |-dequeue >null-|"),
    "and true of an empty one": (True, "0 |-dequeue >null-| |-enqueue 1-|"),
    "a crashed dequeue may make room": (
        True,
        """
        0 |-enqueue 1-| |-enqueue 2-|
        1                               |-dequeue-...
        2                                              |-enqueue 3-|
    """,
    ),
}

ACCOUNTS: dict[str, Json] = {"a": 5, "b": 5}
MODELS = {
    "multi-register": checker.multi_register(),
    "bank": checker.bank(ACCOUNTS),
    "bounded-queue": checker.bounded_queue(2),
}


@pytest.mark.parametrize(
    ("model", "drawing", "valid"),
    [
        pytest.param(model, drawing, valid, id=f"{model}: {name}")
        for model, table in (
            ("multi-register", REGISTERS),
            ("bank", BANK),
            ("bounded-queue", BOUNDED),
        )
        for name, (valid, drawing) in table.items()
    ],
)
def test_drawn_histories(model: str, drawing: str, valid: bool) -> None:
    history = drawn(drawing)
    verdict = checker.linearizable(history, MODELS[model])
    assert verdict.valid is valid
    if valid:
        assert checker.verify(history, MODELS[model], verdict.certificates) is None
    else:
        assert verdict.counterexamples[0].sentence.endswith(".")


@pytest.mark.parametrize(
    ("model", "drawing", "told"),
    [
        ("multi-register", "0 |-write 1-|", "object of registers"),
        ("multi-register", '0 |-txn [["append","x",1]]-|', "list of"),
        ("multi-register", "0 |-cas 1 2-|", "no operation 'cas'"),
        ("bank", "0 |-transfer 5-|", "the value of a transfer"),
        ("bank", '0 |-transfer {"from":"a","to":"z","amount":1}-|', "no account 'z'"),
        ("bank", '0 |-transfer {"from":"a","to":"b","amount":-1}-|', "at least 0"),
        ("bounded-queue", "0 |-enqueue null-|", "cannot be an element"),
        ("bounded-queue", "0 |-push 1-|", "no operation 'push'"),
    ],
)
def test_operations_that_do_not_fit_are_told(model: str, drawing: str, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        checker.linearizable(drawn(drawing), MODELS[model])


@pytest.mark.parametrize(
    ("model", "initial"),
    [("multi-register", 3), ("bank", None), ("bank", {"a": -1}), ("bounded-queue", 0)],
)
def test_initial_values_that_make_no_sense_are_told(model: str, initial: Any) -> None:
    with pytest.raises(ValueError, match="not"):
        checker.linearizable(drawn("0 |-read 1-|"), model, initial=initial)


def _registers_argument(random: Random, f: str) -> Json:
    value = random.choice([0, 1])
    if f == "read":
        return None
    if f == "write":
        return {name: value for name in random.choice(["x", "y", "xy"])}
    return random.choice(
        [
            [["r", "x", None], ["w", "y", value]],
            [["r", "y", None], ["w", "x", value]],
            [["w", "x", value], ["w", "y", value]],
        ]
    )


def _registers_answer(random: Random, f: str) -> Json:
    held = {name: random.choice([None, 0, 1]) for name in "xy"}
    if f == "read":
        return held
    value = random.choice([0, 1])
    return [["r", "x", held["x"]], ["w", "y", value]] if f == "txn" else None


def _registers_say(_random: Random, state: Any, client: Client) -> Json:
    if client.f == "read":
        return {name: state.get(name) for name in "xy"}
    if client.f == "write":
        return client.argument
    filled, now = [], dict(state)
    for kind, name, value in client.argument:
        if kind == "w":
            now[name] = value
        filled.append([kind, name, now.get(name)])
    return filled


def _transfer(random: Random, f: str) -> Json:
    if f == "read":
        return None
    giver, taker = random.choice([("a", "b"), ("b", "a")])
    return {"from": giver, "to": taker, "amount": random.choice([1, 4, 5, 6])}


def _bank_answer(random: Random, f: str) -> Json:
    held = random.choice([0, 1, 4, 5, 6, 9, 10])
    return {"a": held, "b": 10 - held} if f == "read" else random.choice([False, True])


def _bank_says(_random: Random, state: Any, client: Client) -> Json:
    if client.f == "read":
        return dict(state)
    return bool(state[client.argument["from"]] >= client.argument["amount"])


def _bounded_says(_random: Random, state: Any, client: Client) -> Json:
    if client.f == "dequeue":
        return state[0] if state else None
    return len(state) < 2


def _answered(_random: Random, client: Client) -> Json:
    return client.answer


def _object(model: Model, functions: tuple[str, ...], *draws: Any, lies: tuple[str, ...]) -> Object:
    argument, answer, says = draws
    step = defined_by(model)
    return Object(
        model.name, step, model.initial, functions, argument, answer, says, _answered, lies
    )


STORES = {
    "multi-register": _object(
        MODELS["multi-register"],
        ("read", "write", "txn"),
        _registers_argument,
        _registers_answer,
        _registers_say,
        lies=("read",),
    ),
    "bank": _object(
        MODELS["bank"],
        ("read", "transfer"),
        _transfer,
        _bank_answer,
        _bank_says,
        lies=("read", "transfer"),
    ),
    "bounded-queue": _object(
        MODELS["bounded-queue"],
        ("enqueue", "dequeue"),
        lambda random, f: random.randrange(3) if f == "enqueue" else None,
        lambda random, f: random.choice([None, 0, 1, 2] if f == "dequeue" else [False, True]),
        _bounded_says,
        lies=("enqueue", "dequeue"),
    ),
}


@pytest.mark.parametrize("name", STORES)
def test_they_agree_with_brute_force(name: str) -> None:
    check_batch(STORES[name], 0, MODELS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", STORES)
def test_they_agree_with_brute_force_on_many_more(name: str) -> None:
    for seed in range(1, 52):
        check_batch(STORES[name], seed, MODELS[name])
