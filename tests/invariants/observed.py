"""Histories of what nodes said, written as one tells them: when, who, what."""

from __future__ import annotations

from typing import Any, Protocol

from checker import Verdict
from histories import NEMESIS, OBSERVER, Event, History

MS = 1_000_000


class Checks(Protocol):
    """Whatever judges a history."""

    def check(self, history: History) -> Verdict: ...


class Story:
    """What nodes said and clients did; times are in ms, and an answer takes one of them."""

    def __init__(self) -> None:
        self._steps: list[tuple[int, Any, str, str, Any, Any, str | None]] = []

    def says(self, at: int, node: str, *, took: int = 1, **fields: Any) -> Story:
        """A node answered at `at`, having been asked `took` before."""
        value = {**fields, "asked": (at - took) * MS}
        self._steps.append((at, OBSERVER, "ok", "observe", None, value, node))
        return self

    def silent(self, at: int, node: str) -> Story:
        """A node did not answer."""
        value = {"asked": at * MS}
        self._steps.append((at, OBSERVER, "fail", "observe", None, value, node))
        return self

    def writes(self, begin: int, end: int, node: str, key: Any = "x", f: str = "write") -> Story:
        """A client's write that was accepted."""
        client = len(self._steps)
        self._steps.append((begin, client, "invoke", f, key, begin, node))
        self._steps.append((end, client, "ok", f, key, begin, node))
        return self

    def fault(self, name: str, start: int, stop: int | None = None) -> Story:
        """A fault, and its end."""
        for at, word in ((start, "start"), (stop, "stop")):
            if at is not None:
                self._steps.append((at, NEMESIS, "invoke", f"{word}-{name}", None, None, None))
                self._steps.append((at, NEMESIS, "ok", f"{word}-{name}", None, None, None))
        return self

    def history(self) -> History:
        """All of it, in order of time."""
        steps = sorted(self._steps, key=lambda step: step[0])
        return History.from_events(
            Event(index, at * MS, process, kind, f, key, value, None, node)  # type: ignore[arg-type]
            for index, (at, process, kind, f, key, value, node) in enumerate(steps)
        )

    def judged(self, checker: Checks) -> bool | str:
        """True, False, or unknown; each break shows events and has a sentence."""
        verdict = checker.check(self.history())
        for found in verdict.counterexamples:
            assert found.operations
            assert found.sentence.endswith(".")
        if verdict.unknown is not None:
            assert verdict.unknown.cause == "vacuous"
        return verdict.valid


def shards(**told: dict[str, Any]) -> dict[str, Any]:
    """The field of a node that tells of shards."""
    return {"shards": told}
