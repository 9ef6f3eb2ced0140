"""Checkers as the command line names them: ``set-full:linearizable=true,total-queue``.

Behind the name stand settings, each behind a colon: ``NAME:SETTING=VALUE``, the value being
JSON, or a bare word.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
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


def judged_by(history: History, request: Request, searched: Verdict | None) -> Verdict:
    """The verdict of the checkers that were asked for, and of a search if there was one.

    Where operations have keys, checkers of one object judge each key by itself.  Each checker
    may take the time and the memory of the request.
    """
    import msgspec

    from checker import evidence

    checkers = {each: _lifted(each, history) for each in request.checkers}
    verdict = evidence.compose(
        checkers,
        time_limit_s=request.time_limit_s,
        memory_limit_bytes=request.memory_limit_bytes,
        jobs=request.jobs,
    ).check(history)
    if searched is None:
        return verdict
    parts = {request.consistency: searched, **verdict.parts}
    return msgspec.structs.replace(
        evidence.merged(parts, searched.seconds + verdict.seconds),
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
