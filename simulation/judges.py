"""The search for an order as a checker among others, for scenarios to name."""

from __future__ import annotations

from dataclasses import dataclass

from checker import Verdict, linearizable
from histories import History, Json


@dataclass(frozen=True)
class Linearizable:
    """Is there one order that explains what the clients saw?  See `checker.linearizable`.

    A search that takes longer than `time_limit_s` is unknown; a simulated history is short.
    """

    model: str
    initial: Json = None
    time_limit_s: float | None = 60.0

    @property
    def name(self) -> str:
        return "linearizable"

    def check(self, history: History) -> Verdict:
        """The verdict of the search."""
        return linearizable(
            history, self.model, initial=self.initial, time_limit_s=self.time_limit_s
        )
