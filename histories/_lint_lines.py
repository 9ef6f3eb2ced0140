"""Lint for histories that no reader accepts: time runs back, completions of nothing.

The reader of momus JSONL stops at the first such line.  Here the lines are read one by one,
each mistake is told, and mended as far as it must be for the rest to be looked at: a time
that runs back is moved up, a completion of nothing is left out, and an operation whose
process began another one counts as in doubt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from histories._event import Event
from histories._flaws import CorruptHistory, HistoryError
from histories._history import History
from histories._lint import FINDINGS_MAX, Finding, lint, shown

_KINDS: Final = ("invoke", "ok", "fail", "info")
_decode = msgspec.json.Decoder().decode


def lint_file(path: str, *, format: str | None = None, distinct: bool = False) -> list[Finding]:
    """What is wrong with the history at `path`, line by line; see `lint`.

    Raises `HistoryError` where it is damaged, or so broken that no events can be told.
    """
    try:
        return lint(History.read(path, format=format), distinct=distinct)
    except CorruptHistory:
        raise
    except HistoryError:
        if path == "-" or not Path(path).is_file() or format not in (None, "jsonl"):
            raise
        mended = _Mended()
        for line, row in _rows(path):
            mended.take(line, row)
        if not mended.findings:
            raise  # it is something else, which the reader says best
        return sorted([*mended.findings, *mended.rest(distinct)], key=lambda each: each.line or 0)


def _rows(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with open(path, "rb") as stream:
        for line, text in enumerate(stream, 1):
            if not text.strip():
                continue
            try:
                row = _decode(text)
            except msgspec.DecodeError as error:
                raise HistoryError(f"not JSON ({error})", path=path, line=line) from error
            if not isinstance(row, dict):
                raise HistoryError("a line is one JSON object", path=path, line=line)
            if "checksum" in row or (line == 1 and "momus" in row):
                continue
            if row.get("type") not in _KINDS or not isinstance(row.get("f"), str):
                raise HistoryError("an event has a process, a type and an f", path=path, line=line)
            yield line, row


@dataclass
class _Mended:
    """The events so far, as they would be without the mistakes, and their lines."""

    events: list[Event] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    _open: dict[int, int] = field(default_factory=dict)
    _time: int = -(2**63)
    _told: dict[str, int] = field(default_factory=dict)
    _taken: int = 0
    _doubted: set[int] = field(default_factory=set)
    """Invocations of processes whose last operation was left in doubt by us."""

    def take(self, line: int, row: dict[str, Any]) -> None:
        """One more event, as it stands in the file."""
        position, self._taken = self._taken, self._taken + 1
        time = row.get("time")
        time = time if isinstance(time, int) else None
        if time is not None and time < self._time:
            back = (self._time - time) / 1e9
            self._find(
                "clock-jump",
                f"time runs back by {back:,.6f} s, from {self._time} to {time} ns; times are those "
                "of the monotonic clock of one machine, in the order of the file",
                position,
                line,
            )
        if time is not None:
            self._time = max(self._time, time)
        process, kind, f = row.get("process"), row["type"], row["f"]
        key = row.get("key")
        if isinstance(process, int) and kind == "invoke":
            self._begin(process, f, position, line)
        elif isinstance(process, int):
            mine = self._open.pop(process, None)
            if mine is None:
                self._find(
                    "no-invocation",
                    f"process {process} completes {f} ({kind}) that it never invoked; the "
                    "invocation is missing, or the operation completed twice",
                    position,
                    line,
                )
                return
            begun = self.events[mine]
            if begun.f != f or (key is not None and key != begun.key):
                of = "" if key is None or key == begun.key else f" of key {shown(repr(key))}"
                self._find(
                    "changed-operation",
                    f"process {process} completes {f}{of}, but what it invoked in line "
                    f"{self.lines[mine]} is {begun.f} of key {shown(repr(begun.key))}",
                    position,
                    line,
                )
            f, key = begun.f, begun.key
        self._add(line, process, kind, f, key, row)

    def rest(self, distinct: bool) -> Iterator[Finding]:
        """What else is wrong, with the lines of the file."""
        history = History.from_events(self.events)
        numbers = np.arange(len(history))
        runs = np.column_stack((numbers, np.array(self.lines, dtype=np.int64) - numbers))
        for finding in lint(replace(history, lines=runs), distinct=distinct):
            if not (finding.kind == "reused-after-info" and finding.event in self._doubted):
                yield finding

    def _begin(self, process: int, f: str, position: int, line: int) -> None:
        earlier = self._open.pop(process, None)
        if earlier is not None:
            begun = self.events[earlier]
            self._find(
                "two-at-once",
                f"process {process} invokes {f} while its {begun.f} of line "
                f"{self.lines[earlier]} is open; a process does one thing at a time",
                position,
                line,
            )
            self._add(line, process, "info", begun.f, begun.key, {"value": begun.value})
            self._doubted.add(len(self.events))
        self._open[process] = len(self.events)

    def _add(
        self, line: int, process: Any, kind: Any, f: str, key: Any, row: dict[str, Any]
    ) -> None:
        time = self._time if self._time > -(2**63) else len(self.events)
        self.events.append(Event(len(self.events), time, process, kind, f, key, row.get("value")))
        self.lines.append(line)

    def _find(self, kind: str, sentence: str, position: int, line: int) -> None:
        self._told[kind] = self._told.get(kind, 0) + 1
        if self._told[kind] <= FINDINGS_MAX:
            self.findings.append(Finding(kind, sentence, position, line))
