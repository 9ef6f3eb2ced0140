"""Checkers as the command line names them: ``set-full:linearizable=true,total-queue``.

Behind the name stand settings, each behind a colon: ``NAME:SETTING=VALUE``, the value being
JSON, or a bare word.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from momus._exits import Refusal

if TYPE_CHECKING:
    from checker import Verdict
    from checker.evidence import Checker
    from histories import History
    from momus._judge import Request


def listed(texts: Iterable[str]) -> tuple[str, ...]:
    """The checkers in options like ``set-full,total-queue``, each once; refuses unknown ones."""
    found = dict.fromkeys(
        each.strip() for text in texts for each in text.split(",") if each.strip()
    )
    for each in found:
        _made(each)
    return tuple(found)


def own(meta: Mapping[str, Any], what: str) -> tuple[str, ...]:
    """The checkers that a run recorded about itself: its ``checkers``, or its ``asides``."""
    said = meta.get(what)
    return tuple(each for each in said if isinstance(each, str)) if isinstance(said, list) else ()


def judged_by(
    history: History,
    request: Request,
    searched: Verdict | None,
    checkers: Iterable[str],
    asides: Iterable[str] = (),
    others: Mapping[str, Checker] | None = None,
) -> Verdict:
    """The verdict of these checkers, and of a search if there was one.

    Where operations have keys, checkers of one object judge each key by itself.  Each checker
    may take the time and the memory of the request.  What an aside finds counts as well, but
    nobody asked for it: one with nothing to judge is left out, with a note.  `others` are asides
    that are checkers already, by name.
    """
    import msgspec

    from checker import evidence

    asked = {each: _lifted(each, history) for each in checkers}
    aside = {**(others or {})}
    aside |= {each: _lifted(each, history) for each in asides if each not in asked | aside}
    found = evidence.compose(
        asked | aside,
        time_limit_s=request.time_limit_s,
        memory_limit_bytes=request.memory_limit_bytes,
        jobs=request.jobs,
    ).check(history)
    parts = {} if searched is None else {request.consistency: searched}
    notes = []
    for name, part in found.parts.items():
        if name in aside and part.unknown is not None and part.unknown.cause == "vacuous":
            notes.append(f"{name} had nothing to judge")
        else:
            parts[name] = part
    whole = evidence.merged(parts, found.seconds + (searched.seconds if searched else 0.0))
    # Observations are not operations, so what judges them does not say how many there were.
    operations = [part.operations for name, part in parts.items() if name not in aside]
    whole = msgspec.structs.replace(
        whole,
        operations=max(operations, default=whole.operations),
        notes=(*whole.notes, *notes),
    )
    if searched is None:
        return whole
    return msgspec.structs.replace(
        whole,
        model=searched.model,
        algorithm=searched.algorithm,
        certificates=searched.certificates,
        details=searched.details,
    )


def _lifted(text: str, history: History) -> Checker:
    from checker import evidence

    made = _made(text)
    if text.partition(":")[0] in evidence.PER_KEY and evidence.has_keys(history):
        return evidence.keyed(made)
    return made


def _made(text: str) -> Checker:
    from checker import evidence

    name, *settings = text.split(":")
    given: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise Refusal(f"the setting {setting!r} of {name} has no value; try {setting}=true")
        try:
            given[key] = json.loads(value)
        except json.JSONDecodeError:
            given[key] = value
    try:
        return evidence.checker_of(name, **given)
    except ValueError as error:
        raise Refusal(str(error)) from error
