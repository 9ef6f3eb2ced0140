"""A verdict as a person reads it in a terminal.

The verdict comes first and in colour, then the sentence, the drawing, and what to do
next.  Text that comes out of a history is shown without its control characters: a value
must not be able to repaint the terminal.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from momus._quantities import seconds_text

if TYPE_CHECKING:
    from checker import Counterexample
    from histories import History

FAILURES_SHOWN_MAX = 5
OPEN_SHOWN_MAX = 5
STATES_SHOWN_MAX = 8
VALUE_CHARACTERS_MAX = 200

_WORDS = {True: ("VALID", "green"), False: ("INVALID", "red"), "unknown": ("UNKNOWN", "yellow")}


def headline(answer: dict[str, Any]) -> str:
    """One line: the verdict, what was judged, how, and how long it took."""
    operations = f"{answer['operations']:,} operation{'s' if answer['operations'] != 1 else ''}"
    parts = (operations, answer["model"], answer["algorithm"], seconds_text(answer["seconds"]))
    facts = ", ".join(part for part in parts if part)
    return f"{word(answer['valid'])}  {printable(answer['file'])}  ({facts})"


def word(valid: Any) -> str:
    """The verdict's word in its colour."""
    text, colour = _WORDS[valid]
    return click.style(text, fg=colour, bold=True)


def story(
    answer: dict[str, Any], drawing: str | None = None, *, failures_max: int = FAILURES_SHOWN_MAX
) -> Iterator[str]:
    """The lines below the headline: the checkers, why, the picture, what was assumed."""
    for name, part in answer.get("parts", {}).items():
        yield f"  {word(part['valid'])}  {printable(name)}{_counts(part['details'])}"
        if "unknown" in part and answer.get("unknown") != part["unknown"]:
            yield f"    {printable(part['unknown']['sentence'])}"
    if answer["valid"] == "unknown" and "unknown" in answer:
        yield f"  {printable(answer['unknown']['sentence'])}"
        yield f"  {printable(answer['unknown']['remedy'])}"
        more = answer.get("open", [])[1 : 1 + OPEN_SHOWN_MAX]
        yield from (f"  open, too: {printable(each['sentence'])}" for each in more)
    failures = answer["failures"]
    for number, failure in enumerate(failures[:failures_max]):
        yield ""
        yield from _failure(failure, drawing if number == 0 else None)
    if len(failures) > failures_max:
        yield ""
        yield f"  ... and {len(failures) - failures_max:,} more failures"
    if answer["notes"]:
        yield ""
    yield from (f"  note: {printable(note)}" for note in answer["notes"])


def _counts(details: dict[str, Any]) -> str:
    """What a checker counted, as far as it is not nothing."""
    counted = [
        f"{name.removesuffix('_count').replace('_', ' ')} {value:,}"
        for name, value in details.items()
        if type(value) is int and value
    ]
    return f": {', '.join(counted)}" if counted else ""


def drawing(history: History, counterexample: Counterexample) -> str:
    """The counterexample drawn in text, as wide as the terminal and in letters it can show."""
    import reports

    width = min(max(shutil.get_terminal_size().columns, 80), 160) - 2
    unicode = (sys.stdout.encoding or "ascii").lower().startswith("utf")
    return reports.text(history, counterexample, width=width, ascii=not unicode)


def gist(answer: dict[str, Any]) -> Iterator[str]:
    """The one line below the headline where many files are told of."""
    if answer["failures"]:
        yield f"  {printable(answer['failures'][0]['sentence'])}"
    elif "unknown" in answer:
        yield f"  {printable(answer['unknown']['sentence'])}"


def summary(whole: dict[str, Any]) -> str:
    """One line over several files."""
    counts = [
        f"{sum(each['valid'] == valid for each in whole['files'])} {text}"
        for valid, text in ((True, "valid"), (False, "invalid"), ("unknown", "unknown"))
    ]
    return (
        f"{word(whole['valid'])}  {len(whole['files'])} files: {', '.join(counts)} "
        f"({whole['operations']:,} operations, {seconds_text(whole['seconds'])})"
    )


def printable(text: object) -> str:
    """`text` in one line, without control characters, of bounded length."""
    line = " ".join(str(text).split())
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return line if len(line) <= 10 * VALUE_CHARACTERS_MAX else line[: 10 * VALUE_CHARACTERS_MAX]


def value_text(value: Any) -> str:
    """A JSON value in at most `VALUE_CHARACTERS_MAX` characters."""
    text = printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= VALUE_CHARACTERS_MAX else text[: VALUE_CHARACTERS_MAX - 3] + "..."


def _failure(failure: dict[str, Any], drawing: str | None) -> Iterator[str]:
    yield f"  {printable(failure['sentence'])}"
    if drawing:
        yield ""
        yield from (f"  {_unpainted(line)}" for line in drawing.splitlines())
    core = failure.get("details", {}).get("core")
    if core is not None:
        yield ""
        yield f"  {printable(core['sentence'])}"
    states = [value_text(state) for state in failure["states"]]
    if states:
        yield ""
        yield f"  possible just before: {_some(states)}"


def _some(texts: Iterable[str]) -> str:
    listed = list(texts)
    more = f", ... ({len(listed)} in all)" if len(listed) > STATES_SHOWN_MAX else ""
    return ", ".join(listed[:STATES_SHOWN_MAX]) + more


def _unpainted(line: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
