"""Queues beside their definition in Python, tried in every order, on histories nobody chose."""

from __future__ import annotations

from random import Random

from checker import queue
from histories import Json
from tests.checker.bruteforce import defined_by
from tests.checker.random_histories import Client, Object
from tests.checker.test_oracle_agrees import check_batch


def _argument(random: Random, f: str) -> Json:
    return random.randrange(3) if f == "enqueue" else None


def _answer(random: Random, f: str) -> Json:
    return random.choice([None, 0, 1, 2]) if f == "dequeue" else None


def _says(_random: Random, state: Json, client: Client) -> Json:
    if client.f == "enqueue":
        return client.argument
    return state[0] if state else None


QUEUE = Object(
    "queue",
    defined_by(queue()),
    (),
    ("enqueue", "dequeue"),
    _argument,
    _answer,
    _says,
    lambda _random, client: client.answer,
    lies=("dequeue",),
)


def test_a_queue_agrees_with_its_definition() -> None:
    for seed in range(5):
        check_batch(QUEUE, seed, queue())
