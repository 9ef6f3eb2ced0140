"""Durations, sizes and JSON values as people type them: ``90s``, ``4GB``, ``[0, null]``."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import click

from momus._exits import Refusal

_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0}
_SECONDS |= {"h": 3600.0}
_BYTES = {"": 1, "b": 1} | {
    letter + unit: step ** (power + 1)
    for power, letter in enumerate("kmgt")
    for unit, step in (("", 1000), ("b", 1000), ("ib", 1024))
}
_NUMBER_AND_UNIT = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]*)\s*")


class Duration(click.ParamType[float]):
    """Seconds, from ``500ms``, ``90``, ``90s``, ``2m`` or ``1h``."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, int | float):
            return float(value)
        seconds = _scaled(value, _SECONDS)
        if seconds is None or not math.isfinite(seconds):
            self.fail(f"{value!r} is not a duration; try 500ms, 60s, 2m or 1h", param, ctx)
        return seconds


class Bytes(click.ParamType[int]):
    """Bytes, from ``500MB``, ``4GB`` or ``2GiB``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        size = _scaled(value, _BYTES)
        if size is None or not 1 <= size < 2**62:
            self.fail(f"{value!r} is not a size; try 500MB, 4GB or 2GiB", param, ctx)
        return int(size)


class JsonValue(click.ParamType[Any]):
    """A JSON value in a box of one, since ``null`` and "not given" are different answers."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        try:
            return (json.loads(value, parse_constant=_no_constant),)
        except (ValueError, RecursionError):
            self.fail(
                f"{value!r} is not JSON; try 0, null, '\"text\"' or '[1, 2]'",
                param,
                ctx,
            )


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _scaled(text: str, units: dict[str, Any]) -> float | None:
    """`text` as a number times its unit, or None where it is neither."""
    match = _NUMBER_AND_UNIT.fullmatch(text)
    if match is None or match[2].lower() not in units:
        return None
    return float(match[1]) * float(units[match[2].lower()])


def seconds_text(seconds: float) -> str:
    """A duration for people: ``0.4 ms``, ``12.3 s``, ``2 min 5 s``."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def numbers_said(text: str, what: str, example: str) -> dict[str, float]:
    """The numbers in a list like ``kill=3,partition=1``; raises `Refusal` for anything else."""
    found: dict[str, float] = {}
    for word in text.split(","):
        name, _, number = (part.strip() for part in word.partition("="))
        if not name and not number:
            continue
        try:
            found[name] = float(number)
        except ValueError:
            raise Refusal(f"{word.strip()!r} is no {what}; try {example}") from None
    return found
