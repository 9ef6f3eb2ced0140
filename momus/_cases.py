"""Cases of simulated systems as the command line names them, and as it tells of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from momus._exits import Refusal

if TYPE_CHECKING:
    from simulation import Case, System

_FILE = "case.json"
"""In the folder of a run that is kept."""

SEEDS_MAX = 10_000_000

_RANGE = re.compile(r"(\d{1,18})\.\.(\d{1,18})")


def found(system: str) -> System:
    """The simulated system of this name; `Refusal` where there is none."""
    from simulation import system_of

    try:
        return system_of(system)
    except ValueError as error:
        raise Refusal(str(error)) from error


def seeds_said(text: str) -> range:
    """``1000`` is 0 to 999, ``17..40`` is 17 to 40."""
    match = _RANGE.fullmatch(text.strip())
    if match is not None:
        seeds = range(int(match[1]), int(match[2]) + 1)
    elif text.strip().isdecimal():
        seeds = range(int(text))
    else:
        raise Refusal(f"{text!r} says no seeds; try --seeds 1000, or --seeds 17..40")
    if not 0 < len(seeds) <= SEEDS_MAX:
        raise Refusal(f"{text!r} is {len(seeds):,} seeds; try 1 to {SEEDS_MAX:,} of them")
    return seeds


@dataclass(frozen=True)
class Said:
    """A case that was asked for; `digest` is that of the history it is known to have."""

    case: Case
    digest: str | None = None


def case_said(target: str, scenario: str | None, seed: int | None, bug: str | None) -> Said:
    """The case of a system and options, of a file, or of a run folder; else `Refusal`."""
    path = Path(target)
    if path.suffix == ".json" or (path / _FILE).exists():
        if scenario is not None or seed is not None or bug is not None:
            raise Refusal(f"{target} says everything; leave --scenario, --seed and --bug out")
        return case_read(path if path.suffix == ".json" else path / _FILE)
    from simulation import Case

    system = found(target)
    if scenario is None or seed is None:
        known = ", ".join(system.scenarios)
        raise Refusal(f"name a case with --scenario ({known}) and --seed, or a case file (.json)")
    return Said(Case(target, scenario, seed, bug))


def case_read(path: Path) -> Said:
    """The case in a file."""
    from simulation import Case

    try:
        document = msgspec.json.decode(path.read_bytes())
        if not isinstance(document, dict) or document.get("momus") != "case":
            raise msgspec.ValidationError('it has no "momus": "case"')
        case = msgspec.convert(document.get("case"), Case)
        digest = msgspec.convert(document.get("history"), str | None)
    except msgspec.DecodeError as error:
        raise Refusal(f"{path} is no case file: {error}; `momus shrink` writes them") from error
    return Said(case, digest)


def case_text(case: Case, digest: str) -> bytes:
    """A case as the content of a file, with the digest of its history."""
    document = {"momus": "case", "history": digest, "case": case}
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
