"""A campaign as JUnit XML: one suite for each scenario, in it one case for a hundred seeds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checker import Verdict
    from simulation import Case, Result

SEEDS_EACH = 100


class Suites:
    """Collects results; what was planned and not played stays unknown."""

    def __init__(self, system: str, cases: Iterable[Case]) -> None:
        self._system = system
        self._planned: dict[tuple[str, str | None, int], list[int]] = {}
        self._played: dict[tuple[str, str | None, int], list[Result]] = {}
        for case in cases:
            self._planned.setdefault(_place(case), []).append(case.seed)

    def add(self, result: Result) -> None:
        """One more was played."""
        self._played.setdefault(_place(result.case), []).append(result)

    def write(self, path: Path) -> Path:
        """Write all suites; what is neither valid nor invalid is an error."""
        import reports

        suites: dict[str, dict[str, Verdict]] = {}
        for place, seeds in self._planned.items():
            scenario, bug, _ = place
            name = f"seeds {min(seeds)}..{max(seeds)}" + (f" with {bug}" if bug else "")
            suite = suites.setdefault(f"{self._system} {scenario}", {})
            suite[name] = verdict_of(self._played.get(place, []), len(seeds))
        return reports.junit_suites(suites, path, unknown="error")


def _place(case: Case) -> tuple[str, str | None, int]:
    return case.scenario, case.bug, case.seed // SEEDS_EACH


def verdict_of(results: list[Result], planned: int) -> Verdict:
    """One verdict over several runs, each failure with the line that replays it."""
    from checker import Counterexample, Unknown, Verdict

    wrong = sorted((r for r in results if r.ending != "valid"), key=lambda r: r.case.seed)
    seconds = sum(result.seconds for result in results)
    told = [
        f"{result.causes[0].checker}: {result.sentence} Replay: {result.case.command('replay')}"
        for result in wrong
    ]
    invalid = [text for text, r in zip(told, wrong, strict=True) if r.ending == "invalid"]
    operations = sum(result.operations for result in results)
    if invalid:
        found = tuple(map(Counterexample, invalid))
        return Verdict(False, "simulation", None, None, operations, seconds, found)
    if wrong or len(results) < planned:
        missing = f"{planned - len(results)} of {planned} seeds were not played."
        sentence = told[0] if told else missing
        why = Unknown("harness", sentence, "Replay it, or play the seeds that are missing.")
        return Verdict("unknown", "simulation", None, None, operations, seconds, unknown=why)
    return Verdict(True, "simulation", None, None, operations, seconds)
