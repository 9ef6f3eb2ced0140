"""Durations, sizes and JSON values as people type them."""

from __future__ import annotations

from typing import Any

import click
import pytest

from momus._quantities import Bytes, Duration, JsonValue, seconds_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("60", 60), ("1.5m", 90), ("500ms", 0.5), ("2h", 7200), (" 3 s ", 3), (7, 7)],
)
def test_durations(text: Any, seconds: float) -> None:
    assert Duration().convert(text, None, None) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["soon", "-1s", "", "1 fortnight", "s", "1e999"])
def test_what_is_no_duration_is_refused_with_a_suggestion(text: str) -> None:
    with pytest.raises(click.BadParameter, match="try 500ms"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("2GiB", 2 * 2**30), ("512m", 512 * 10**6), ("100", 100), ("1.5kb", 1500)],
)
def test_sizes(text: str, size: int) -> None:
    assert Bytes().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["0", "-4GB", "much", "4 horses", "1e40GB"])
def test_what_is_no_size_is_refused_with_a_suggestion(text: str) -> None:
    with pytest.raises(click.BadParameter, match="try 500MB"):
        Bytes().convert(text, None, None)


@pytest.mark.parametrize(("text", "value"), [("null", None), ("0", 0), ('"a"', "a"), ("[1]", [1])])
def test_a_json_value_comes_in_a_box_so_that_null_is_not_absence(text: str, value: Any) -> None:
    assert JsonValue().convert(text, None, None) == (value,)


@pytest.mark.parametrize("text", ["{", "", "hello", "NaN", "[" * 100_000])
def test_what_is_not_json_is_refused_with_a_suggestion(text: str) -> None:
    with pytest.raises(click.BadParameter, match="try 0, null"):
        JsonValue().convert(text, None, None)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0004, "0.4 ms"), (12.34, "12.3 s"), (125, "2 min 5 s")]
)
def test_seconds_for_people(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text
