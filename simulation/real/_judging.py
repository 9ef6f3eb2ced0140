"""Who judges a real run of a scenario: those who judge the simulated one, by what nodes told.

A real run has observations of two kinds: what nodes told of themselves (events with a name), as
in the simulation, and the state they were found in when they were asked.  Checkers of a scenario
know only the first kind, so the others say nothing to them.  Those that go by virtual time
(`by_virtual_time`) are left out; the search for an order is the run's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from checker import Verdict
from checker.evidence import Checker
from histories import OBSERVER, Event, History
from simulation.judges import Linearizable
from simulation.real._scenes import Scene, setting_of
from simulation.scenario import Case


class Told:
    """A history in which nodes were asked nothing, so that only what they told is left of them.

    Events keep their places.  The one made last is kept, for the next checker over the same.
    """

    def __init__(self) -> None:
        self._last: tuple[History, History] | None = None

    def of(self, history: History) -> History:
        """`history`, but that an answer to a question says nothing."""
        if self._last is None or self._last[0] is not history:
            events = [replace(each, value={}) if _asked(each) else each for each in history]
            self._last = history, History.from_events(events, dict(history.meta))
        return self._last[1]


@dataclass(frozen=True)
class ByWhatWasTold:
    """`checker`, for whom nodes say only what they told by themselves."""

    checker: Checker
    told: Told

    @property
    def name(self) -> str:
        return self.checker.name

    def check(self, history: History) -> Verdict:
        """The checker's verdict."""
        return self.checker.check(self.told.of(history))


def judges_of(scene: Scene, case: Case, nodes: tuple[str, ...]) -> Mapping[str, Checker]:
    """The checkers of a scenario for a real run, by name."""
    told = Told()
    return {
        name: ByWhatWasTold(checker, told)
        for name, checker in scene.scenario.checkers(setting_of(case, nodes)).items()
        if not isinstance(checker, Linearizable) and not getattr(checker, "by_virtual_time", False)
    }


def _asked(event: Event) -> bool:
    told = isinstance(event.value, dict) and "event" in event.value
    return event.process == OBSERVER and not told
