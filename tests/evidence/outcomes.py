"""Verdicts in short: the word, and the elements of each kind that is not empty."""

from __future__ import annotations

from typing import Any

from checker import Verdict


def kinds(verdict: Verdict) -> dict[str, list[Any]]:
    """Of each kind the elements, as often as they were counted; empty kinds are left out."""
    found: dict[str, list[Any]] = {}
    for name in verdict.details:
        if not name.endswith("_count"):
            continue
        kind = name.removesuffix("_count")
        listed = [
            element
            for each in verdict.details.get(kind, [])
            for element in (
                [each["element"]] * each.get("times", 1) if isinstance(each, dict) else [each]
            )
        ]
        if listed:
            assert verdict.details[name] == len(listed)
            found[kind] = listed
    return found


def why(verdict: Verdict) -> str:
    """The cause of an unknown verdict, else the empty string."""
    return verdict.unknown.cause if verdict.unknown is not None else ""
