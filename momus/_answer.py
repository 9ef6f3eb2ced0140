"""A verdict as the one JSON object that programs read.

The object is documented in docs/cli.md and only ever grows.  One history gives one flat
object; several give the same object merged over all of them, and one object each under
``files``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

if TYPE_CHECKING:
    from checker import Counterexample, Verdict

CONFIGURATIONS_MAX = 64
"""More configurations than this tell a reader nothing new; the sentence has the count."""


def answer(verdict: Verdict, file: str) -> dict[str, Any]:
    """The JSON object of one verdict over one file."""
    found: dict[str, Any] = {
        "valid": verdict.valid,
        "model": verdict.model,
        "algorithm": verdict.algorithm,
        "operations": verdict.operations,
        "seconds": round(verdict.seconds, 6),
        "failures": [_failure(counterexample) for counterexample in verdict.counterexamples],
        "notes": list(verdict.notes),
        "file": file,
    }
    if "open" in verdict.details:
        found["open"] = verdict.details["open"]
    if verdict.unknown is not None:
        found["unknown"] = msgspec.to_builtins(verdict.unknown)
    if verdict.parts:
        found["parts"] = {name: _part(part) for name, part in verdict.parts.items()}
        found["failures"] = [
            {"checker": name, **_failure(counterexample)}
            for name, part in verdict.parts.items()
            for counterexample in part.counterexamples
        ]
    return found


def _part(verdict: Verdict) -> dict[str, Any]:
    """The JSON object of one checker of several."""
    part: dict[str, Any] = {
        "valid": verdict.valid,
        "checker": verdict.checker,
        "operations": verdict.operations,
        "seconds": round(verdict.seconds, 6),
        "details": verdict.details,
        "notes": list(verdict.notes),
    }
    if verdict.unknown is not None:
        part["unknown"] = msgspec.to_builtins(verdict.unknown)
    if verdict.parts:
        part["parts"] = {name: _part(each) for name, each in verdict.parts.items()}
    return part


def merged(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One object over several files: the worst verdict, sums, and each file's own object."""
    from checker import merge_valid

    whole: dict[str, Any] = {
        "valid": merge_valid(each["valid"] for each in answers),
        "model": _shared(each["model"] for each in answers),
        "algorithm": _shared(each["algorithm"] for each in answers),
        "operations": sum(each["operations"] for each in answers),
        "seconds": round(sum(each["seconds"] for each in answers), 6),
        "failures": [
            {"file": each["file"], **failure} for each in answers for failure in each["failures"]
        ],
        "files": list(answers),
    }
    unknowns = [{"file": each["file"], **each["unknown"]} for each in answers if "unknown" in each]
    if unknowns and whole["valid"] == "unknown":
        whole["unknown"] = unknowns[0]
    return whole


def print_json(value: Any) -> None:
    """Print `value` as JSON: UTF-8 whatever the locale, one line unless for a person to read."""
    encoded = msgspec.json.encode(value)
    click.echo(msgspec.json.format(encoded, indent=2) if sys.stdout.isatty() else encoded)


def _failure(counterexample: Counterexample) -> dict[str, Any]:
    failure: dict[str, Any] = {
        "key": counterexample.key,
        "sentence": counterexample.sentence,
        "operation": counterexample.operation,
        "states": list(counterexample.states[:CONFIGURATIONS_MAX]),
        "configurations": list(counterexample.configurations[:CONFIGURATIONS_MAX]),
        "operations": msgspec.to_builtins(counterexample.operations),
    }
    if counterexample.details:
        failure["details"] = counterexample.details
    return failure


def _shared(names: Any) -> str | None:
    """The names, each once: several files may well have been judged by several algorithms."""
    distinct = sorted({name for name in names if name})
    return ", ".join(distinct) or None
