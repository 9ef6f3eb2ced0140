"""The report: one HTML file that opens anywhere, years later, without a network.

The page is read from the top: the verdict, then why, then what the run was.  It contains
no script, and its content policy forbids any; every value goes through `_labels` (which
bounds it and makes it visible) and then through the template's escaping.  The file's size
depends on the page, not on the history: a few counterexamples are drawn in full, the rest
are counted.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2

from checker import Counterexample, Unknown, Valid, Verdict
from histories import Event, History, Json
from reports import _faults, _labels
from reports._facts import facts
from reports._faults import Band
from reports._file import replace_file
from reports._operations import NEVER, Operations, has_clock, operations
from reports._pictures import images
from reports._relaxed import Relaxed
from reports._scene import focus_on, focus_on_load
from reports._timeline import Timeline, timeline

CASES_MAX: Final = 3
_COUNTED_MAX: Final = 60
_EVIDENCE_MAX: Final = 24
_STATES_MAX: Final = 8
_PARTS_MAX: Final = 60
_FAULTS_MAX: Final = 30
_DETAILS_MAX: Final = 20
_NOTES_MAX: Final = 20

_WORDS: Final = {True: "Valid", False: "Invalid", "unknown": "Unknown"}
_CAUSES: Final = {
    "time": "The time allowed ran out",
    "memory": "The memory allowed ran out",
    "vacuous": "The run showed too little to be judged",
    "harness": "The harness failed, so the history cannot be trusted",
}


def render(
    history: History,
    verdict: Verdict,
    path: str | os.PathLike[str],
    *,
    meta: Mapping[str, Json] | None = None,
) -> Path:
    """Write the report of a judged history to `path`, as a whole or not at all.

    `meta` adds to the history's own header, and wins where both name a thing.  Raises
    `OSError` if the file cannot be written; no content of the history makes it fail.
    """
    html = (
        _environment()
        .get_template("report.html.j2")
        .render(page=_page(history, verdict, {**(history.meta or {}), **(meta or {})}))
    )
    return replace_file(path, html.encode("utf-8", "backslashreplace"))


@dataclass(frozen=True)
class _Row:
    """An operation of the evidence, in words."""

    role: str
    process: str
    node: str
    operation: str
    outcome: str
    invoked: str
    took: str
    error: str
    anchor: str


@dataclass(frozen=True)
class _State:
    state: str
    after: tuple[str, ...]


@dataclass(frozen=True)
class _Case:
    """A counterexample, in words."""

    number: int
    checker: str
    key: str
    sentence: str
    operation: _Row | None
    states: tuple[_State, ...]
    states_left_out: int
    evidence: tuple[_Row, ...]
    evidence_left_out: int
    details: tuple[tuple[str, str], ...]
    timeline: Timeline | None


@dataclass(frozen=True)
class _Part:
    """A line of the table of checkers."""

    name: str
    css: str
    word: str
    how: str
    sentence: str


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _page(history: History, verdict: Verdict, meta: Mapping[str, Json]) -> dict[str, Any]:
    ops = operations(history)
    bands = _faults.bands(history)
    known = facts(history, ops, meta, len(bands))
    found = list(_counterexamples(verdict))
    cases = tuple(
        _case(ops, bands, number, checker, example)
        for number, (checker, example) in enumerate(found[:CASES_MAX], 1)
    )
    unknown = next(_unknowns(verdict), None) if verdict.valid == "unknown" else None
    overview = None if cases else focus_on_load(ops)
    parts = list(_parts(verdict.parts))
    return {
        "css": _css(verdict.valid),
        "word": _WORDS[verdict.valid],
        "lead": _lead(verdict, found, unknown),
        "remedy": _labels.prose(unknown.remedy) if unknown else "",
        "cause": _CAUSES.get(unknown.cause, "") if unknown else "",
        "how": _how(verdict),
        "notes": [_labels.prose(note, 600) for note in verdict.notes[:_NOTES_MAX]],
        "parts": parts[:_PARTS_MAX],
        "parts_left_out": max(len(parts) - _PARTS_MAX, 0),
        "cases": cases,
        "found": len(found),
        "counted": [
            (checker, _labels.name(example.key, 40), _labels.prose(example.sentence, 200))
            for checker, example in found[CASES_MAX : CASES_MAX + _COUNTED_MAX]
        ],
        "counted_left_out": max(len(found) - CASES_MAX - _COUNTED_MAX, 0),
        "overview": timeline(ops, overview, bands, "run") if overview else None,
        "known": known,
        "clock": has_clock(history),
        "pictures": images(ops, bands),
        "faults": [_fault(band) for band in bands[:_FAULTS_MAX]],
        "faults_left_out": max(len(bands) - _FAULTS_MAX, 0),
        "again": _again(history, verdict),
    }


def _css(valid: Valid) -> str:
    return _WORDS[valid].lower()


def _lead(
    verdict: Verdict, found: list[tuple[str, Counterexample]], unknown: Unknown | None
) -> str:
    """The sentence next to the word."""
    if verdict.valid is False:
        if found:
            return _labels.prose(found[0][1].sentence)
        return f"{_labels.prose(verdict.checker, 80)} does not hold; no counterexample was given."
    if unknown:
        return _labels.prose(unknown.sentence)
    if verdict.valid == "unknown":
        return "There is no verdict, and the checker does not say why."
    judged = _labels.count(verdict.operations, "operation")
    return (
        f"No violation was found; {judged} judged."
        if verdict.operations
        else ("No violation was found.")
    )


def _how(verdict: Verdict) -> list[tuple[str, str]]:
    """Who judged, by what, and how long it took."""
    how = [("Checker", _labels.clip(_labels.visible(verdict.checker), 80))]
    if verdict.model:
        how.append(("Model", _labels.clip(_labels.visible(verdict.model), 80)))
    if verdict.algorithm:
        how.append(("Algorithm", _labels.clip(_labels.visible(verdict.algorithm), 80)))
    if verdict.operations:
        how.append(("Operations judged", _labels.count(verdict.operations)))
    if verdict.seconds > 0:
        how.append(("Time to judge", _labels.duration(verdict.seconds * 1e9)))
    return how


def _counterexamples(verdict: Verdict, path: str = "") -> Iterator[tuple[str, Counterexample]]:
    """All counterexamples with the checker they come from; each only once."""
    seen: list[tuple[str, Json, int | None]] = []
    for checker, example in _all_counterexamples(verdict, path):
        mark = (example.sentence, example.key, example.operation)
        if mark not in seen[-500:]:
            seen.append(mark)
            yield checker, example


def _all_counterexamples(verdict: Verdict, path: str) -> Iterator[tuple[str, Counterexample]]:
    # The parts come first: a verdict may repeat what its parts found, without their names.
    for name, part in verdict.parts.items():
        yield from _all_counterexamples(part, _joined(path, name))
    for example in verdict.counterexamples:
        yield path, example


def _unknowns(verdict: Verdict) -> Iterator[Unknown]:
    if verdict.unknown:
        yield verdict.unknown
    for part in verdict.parts.values():
        yield from _unknowns(part)


def _parts(parts: Mapping[str, Verdict], path: str = "") -> Iterator[_Part]:
    for name, part in parts.items():
        full = _joined(path, name)
        sentence = ""
        if part.valid is False and part.counterexamples:
            sentence = part.counterexamples[0].sentence
        elif part.unknown:
            sentence = part.unknown.sentence
        how = ", ".join(
            f"{value} operations" if label == "Operations judged" else value
            for label, value in _how(part)
            if label != "Checker"
        )
        yield _Part(full, _css(part.valid), _WORDS[part.valid], how, _labels.prose(sentence, 240))
        yield from _parts(part.parts, full)


def _joined(path: str, name: str) -> str:
    own = _labels.clip(_labels.visible(name), 40)
    return f"{path} / {own}" if path else own


def _case(
    ops: Operations, bands: tuple[Band, ...], number: int, checker: str, found: Counterexample
) -> _Case:
    focus = focus_on(ops, found)
    drawn = timeline(ops, focus, bands, f"c{number}", Relaxed.of(found)) if focus else None
    anchors = frozenset(box.anchor for box in drawn.boxes) if drawn else frozenset()
    evidence = _evidence(ops, found, number, anchors)
    culprit = ops.row_of(found.operation)
    states = _states(ops, found)
    return _Case(
        number=number,
        checker=checker,
        key="" if found.key is None else _labels.name(found.key, 80),
        sentence=_labels.prose(found.sentence),
        operation=None
        if culprit is None
        else _row(ops, culprit, "cannot be placed", number, anchors),
        states=states[:_STATES_MAX],
        states_left_out=max(len(states) - _STATES_MAX, 0),
        evidence=evidence[:_EVIDENCE_MAX],
        evidence_left_out=max(len(evidence) - _EVIDENCE_MAX, 0),
        details=tuple(
            (_labels.name(key, 60), _labels.short(value, 600))
            for key, value in list(found.details.items())[:_DETAILS_MAX]
        ),
        timeline=drawn,
    )


def _states(ops: Operations, found: Counterexample) -> tuple[_State, ...]:
    """What the system could have held just before, and which open operations that takes."""
    if not found.configurations:
        return tuple(_State(_labels.short(state, 160), ()) for state in found.states)
    states: list[_State] = []
    for configuration in found.configurations[: _STATES_MAX * 8]:
        placed = [ops.row_of(index) for index in _listed(configuration, "linearized", int)]
        after = [ops.describe(row) for row in placed if row is not None and not ops.reads(row)]
        # Crashed operations that are alike stand together: {"f", "value", "times"}.
        for crashed in _listed(configuration, "crashed", dict):
            words = _labels.operation(str(crashed.get("f")), crashed.get("value"), None, "info")
            times = crashed.get("times", 1)
            after.append(words if times == 1 else f"{words} ({_labels.short(times, 9)} times)")
        state = _State(_labels.short(configuration.get("state"), 160), tuple(after))
        if state not in states:
            states.append(state)
    return tuple(states)


def _listed(configuration: Mapping[str, Json], name: str, kind: type) -> list[Any]:
    """The first few entries of that kind; a checker of the user's own may write anything."""
    entries = configuration.get(name)
    return [e for e in entries[:6] if isinstance(e, kind)] if isinstance(entries, list) else []


def _evidence(
    ops: Operations, found: Counterexample, number: int, anchors: frozenset[str]
) -> tuple[_Row, ...]:
    """The operations worth looking at, in the order of invocation; strange events as they are."""
    culprit = ops.row_of(found.operation)
    rows: dict[int, _Row] = {}
    if culprit is not None and found.operations:
        rows[culprit] = _row(ops, culprit, "cannot be placed", number, anchors)
    strays = []
    for event in found.operations:
        row = ops.row_of(event.index)
        if row is None:
            strays.append(_stray(event))
        elif row not in rows:
            rows[row] = _row(ops, row, "", number, anchors)
    return (*(rows[row] for row in sorted(rows)), *strays)


def _row(ops: Operations, row: int, role: str, number: int, anchors: frozenset[str]) -> _Row:
    invocation, completion = ops.events(row)
    clock = has_clock(ops.history)
    end = int(ops.end[row])
    anchor = f"c{number}-{invocation.index}"
    return _Row(
        role=role,
        process=_labels.name(invocation.process, 24),
        node=_labels.name(invocation.node, 32) if invocation.node else "",
        operation=ops.describe(row, 120),
        outcome={"pending": "never completed"}.get(ops.outcome_of(row), ops.outcome_of(row)),
        invoked=f"{invocation.time / 1e9:,.6f} s" if clock else f"event {invocation.index:,}",
        took=_labels.duration(end - int(ops.start[row])) if clock and end != NEVER else "",
        error=_labels.short(completion.error, 120)
        if completion and completion.error is not None
        else "",
        anchor=anchor if anchor in anchors else "",
    )


def _stray(event: Event) -> _Row:
    """An event that belongs to no operation of a client."""
    return _Row(
        role="",
        process=_labels.name(event.process, 24),
        node=_labels.name(event.node, 32) if event.node else "",
        operation=_labels.operation(event.f, event.value, None, event.type, 120),
        outcome=event.type,
        invoked=f"{event.time / 1e9:,.6f} s",
        took="",
        error="" if event.error is None else _labels.short(event.error, 120),
        anchor="",
    )


def _fault(band: Band) -> dict[str, str]:
    proof = {True: "shown by its receipt", False: "its receipt shows none", None: "no receipt"}
    return {
        "name": band.name,
        "targets": band.targets,
        "start": f"{band.start / 1e9:,.3f} s",
        "stop": "never stopped" if band.stop is None else f"{band.stop / 1e9:,.3f} s",
        "lasted": "" if band.stop is None else _labels.duration(band.stop - band.start),
        "proof": proof[band.proof] if band.sure else "the nemesis could not tell",
        "css": {True: "yes", False: "no", None: ""}[band.proof] if band.sure else "no",
    }


def _again(history: History, verdict: Verdict) -> str:
    """The command that judges the same file again."""
    if not history.source or str(history.source) == "-":
        return ""
    words = ["momus", "check", str(history.source)]
    if verdict.model:
        words += ["--model", verdict.model]
    if verdict.checker == "compose":
        searches = ("linearizable", "sequential") if verdict.model else ()
        names = [name for name in verdict.parts if name not in searches]
        words += ["--checker", ",".join(names)]
    return _labels.clip(_labels.visible(shlex.join(words)), 400)
