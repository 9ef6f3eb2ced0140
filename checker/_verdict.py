"""What a checker answers.

A verdict is `valid` (True), `invalid` (False) or `"unknown"`.  Unknown always says why
and what would settle it; invalid always carries counterexamples, each with a sentence in
English; valid from a search carries certificates that an independent verifier accepts.
Verdicts compose: a verdict over several checkers or keys is invalid if any part is,
else unknown if any part is, else valid.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np

from histories import Event, Json

Valid: TypeAlias = Literal["unknown"] | bool


class Counterexample(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a history is invalid, small enough to read.

    `sentence` is the explanation; `operation` the index of the invocation (in the
    history) that cannot be placed; `operations` the events worth looking at, each an
    `Event`; `states` the possible states of the system just before (rendered as JSON
    values), and `configurations` the full picture of each: ``{"state": ...,
    "linearized": [invocation indexes of open operations already placed], "crashed":
    [...]}``.  `details` is free for a checker's own findings.
    """

    sentence: str
    key: Json = None
    operation: int | None = None
    operations: tuple[Event, ...] = ()
    states: tuple[Json, ...] = ()
    configurations: tuple[dict[str, Json], ...] = ()
    details: dict[str, Any] = {}


class Linearization(msgspec.Struct, frozen=True):
    """The certificate of one key: its operations in an order that the model allows.

    `order` holds the indexes of their invocations, shape ``(n_linearized,)``; crashed
    operations that took no effect are left out.  `points` are the instants at which they
    took effect, in the same order and in the time of the history's events (ns; the number
    of the event where the history has no clock); None stands for the earliest that fit,
    which `checker.points` tells.  `checker.verify` accepts or refuses it.
    """

    key: Json
    order: np.ndarray[tuple[int], np.dtype[np.uint32]]
    points: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None


class Unknown(msgspec.Struct, frozen=True):
    """Why there is no verdict, and what would settle it."""

    cause: Literal["time", "memory", "vacuous", "harness"]
    sentence: str
    remedy: str


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """The judgement of one checker over one history.

    `operations` counts the client operations judged; `seconds` the wall time it took;
    `notes` are remarks a reader must know (what was assumed or left out), in English;
    `certificates` prove what is valid, key by key; `resumption` is what a later call goes on
    from where keys are still open (it is no part of what the verdict says, and never written).
    """

    valid: Valid
    checker: str
    model: str | None = None
    algorithm: str | None = None
    operations: int = 0
    seconds: float = 0.0
    counterexamples: tuple[Counterexample, ...] = ()
    unknown: Unknown | None = None
    notes: tuple[str, ...] = ()
    details: dict[str, Any] = {}
    parts: dict[str, Verdict] = {}
    certificates: tuple[Linearization, ...] = ()
    resumption: Any = None


def merge_valid(parts: Iterable[Valid]) -> Valid:
    """Invalid beats unknown beats valid."""
    worst: Valid = True
    for valid in parts:
        if valid is False:
            return False
        if valid == "unknown":
            worst = "unknown"
    return worst
