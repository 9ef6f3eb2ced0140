"""From a question to what is known of each key: searched here or apart, afresh or going on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from checker._apart import search_apart
from checker._apart_ear import Heard, Stop
from checker._core import Core
from checker._cores import CORES_MAX, cores
from checker._found import Found
from checker._limits import Limits
from checker._model import Model
from checker._resumption import Resumption
from checker._searching import search
from engine._native import Operations
from histories import History


@dataclass(frozen=True)
class Question:
    """Is each key of `history` linearizable?  `cores` says whether they are wanted.

    `apart` says that the search gets a process of its own.
    """

    history: History
    operations: Operations
    model: Model
    algorithm: str
    cores: bool
    apart: bool


class Known(NamedTuple):
    """What is found of each key; the cores by the invocation that cannot be placed.

    `read_only` is what a later search of a model in Python has to take for granted.
    """

    found: Sequence[Found]
    cores: Mapping[int, Core]
    read_only: Sequence[bool] | None
    stop: Stop | None


def known(question: Question, limits: Limits, earlier: Resumption | None) -> Known:
    """What was known earlier, and what is found now of the keys that were open."""
    found = dict(enumerate(earlier.found)) if earlier is not None else {}
    if earlier is not None:
        only = [number for number, each in found.items() if each.verdict == "unknown"]
        left = [earlier.suspended(number, question.history) for number in only]
        limits = limits._replace(only=only, earlier=left)
    failed = [each.stuck for each in found.values() if each.stuck is not None]
    read_only = earlier.read_only if earlier is not None else None
    if question.apart:
        heard = _apart(question, limits, failed, read_only)
    else:
        heard = _here(question, limits, failed)
    for number in range(len(question.operations.keys)):
        now = heard.found.get(number)
        if now is None and number not in found:
            cause = heard.stop.cause if heard.stop is not None else "time"
            now = Found("unknown", "jit", exhausted=cause)
        # A search that had no time to begin has lost nothing.
        if now is not None and (now.verdict != "unknown" or now.suspended or number not in found):
            found[number] = now
    return Known(
        [found[number] for number in sorted(found)],
        heard.cores,
        heard.read_only or read_only,
        heard.stop,
    )


def _here(question: Question, limits: Limits, failed: Sequence[int]) -> Heard:
    history, model = question.history, question.model
    found = search(history, question.operations, model, question.algorithm, limits)
    numbers = limits.only if limits.only is not None else range(len(found))
    heard = Heard(dict(zip(numbers, found, strict=True)))
    stuck = [*failed, *(each.stuck for each in found if each.stuck is not None)]
    if question.cores:
        chosen = sorted(stuck)[:CORES_MAX]
        told = zip(chosen, cores(history, model, chosen, limits), strict=True)
        heard.cores.update((event, core) for event, core in told if core is not None)
    return heard


def _apart(
    question: Question, limits: Limits, failed: Sequence[int], read_only: Sequence[bool] | None
) -> Heard:
    history, operations, model = question.history, question.operations, question.model
    wanted = failed if question.cores else None
    return search_apart(history, operations, model, limits, wanted, read_only)
