"""What a violation can do without, as the core of its counterexample tells it.

The operations of a core have no explanation even if some of them need not have happened, or
might have begun earlier or ended later.  A drawing marks these, since they are not to blame.
"""

from __future__ import annotations

from dataclasses import dataclass

from checker import Counterexample


@dataclass(frozen=True)
class Relaxed:
    """What the core says of operations, by the index of their invocation."""

    optional: frozenset[int] = frozenset()
    earlier: frozenset[int] = frozenset()
    later: frozenset[int] = frozenset()

    @staticmethod
    def of(found: Counterexample) -> Relaxed:
        """Nothing of a counterexample without a core."""
        operations = found.details.get("core", {}).get("operations", ())
        return Relaxed(
            frozenset(op["index"] for op in operations if op["optional"]),
            frozenset(op["index"] for op in operations if "invoked" in op["widened"]),
            frozenset(op["index"] for op in operations if "returned" in op["widened"]),
        )

    def remarks(self, event: int) -> list[str]:
        """In words, what the core says of the operation invoked by this event."""
        if event in self.optional:
            return ["the violation stands even if this did not happen"]
        told = {"begun earlier": self.earlier, "ended later": self.later}
        widened = " or ".join(word for word, events in told.items() if event in events)
        return [f"the violation stands even if this had {widened}"] if widened else []
