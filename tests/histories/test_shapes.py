"""Texts taken apart into shapes and columns of integers, and put together again."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histories import Json, _shapes, canonical, items_of, shapes_of

TEXTS = st.text('ab1-0.5e[]{},:"\\', max_size=6)
SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(-9, 9) | TEXTS
VALUES: st.SearchStrategy[Json] = st.recursive(
    SCALARS | st.integers(-9, 99),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


NULL: Json = "no text at all"
NESTED: st.SearchStrategy[Json] = st.lists(
    st.lists(st.lists(st.lists(SCALARS, max_size=2), max_size=3), max_size=3)
    | st.dictionaries(TEXTS, st.lists(st.lists(SCALARS, max_size=2), max_size=2), max_size=2),
    max_size=3,
)
"""Mostly fit to have lists taken out of them."""
CHUNKS = st.sampled_from([_shapes._CHUNK_BYTES, 40, 0])
"""How many bytes are looked at together: all, a few texts, or one text."""


def array(values: list[Json]) -> pa.LargeStringArray:
    texts = [None if value == NULL else canonical(value).decode() for value in values]
    return pa.array(texts, pa.large_string())


def filled(shape: Json, integers: list[int]) -> Json:
    """The value of this shape with these integers."""
    if type(shape) is int:
        return integers[shape]
    if isinstance(shape, list):
        return [filled(item, integers) for item in shape]
    if isinstance(shape, dict):
        return {name: filled(item, integers) for name, item in shape.items()}
    return shape


def has_inexact(text: str) -> bool:
    """A number that is no short integer, or a backslash."""
    found: list[Any] = []
    json.loads(text, parse_int=lambda it: found.append(len(it) > 18), parse_float=found.append)
    return any(found) or "\\" in text


def test_what_is_alike_has_one_shape() -> None:
    values: list[Json] = [[["r", 5, None]], [["r", 17, None]], [["r", 5, 1]], "v5", 7]
    shapes = shapes_of(array(values))
    assert shapes.known == [[["r", 0, None]], [["r", 0, 1]], "v5", 0]
    assert shapes.shape.tolist() == [0, 0, 1, 2, 3]
    [(_, rows, table), (_, _, other), *_] = shapes.groups()
    assert rows.tolist() == [0, 1]
    assert table.tolist() == [[5], [17]]
    assert other.tolist() == [[5, 1]]


@pytest.mark.parametrize("value", [1.5, [1e30], -(10**18), "\\", [1, "\n"], {"a": 0.25}])
def test_what_is_not_exact_has_no_shape(value: Json) -> None:
    assert shapes_of(array([value, 5])).shape.tolist() == [-1, 0]


def test_rare_shapes_have_to_be_decoded() -> None:
    values: list[Json] = [[0] * (n % 10) for n in range(100)]
    shapes = shapes_of(array(values), shapes_max=4)
    assert len(shapes.known) == 4
    assert (shapes.shape >= 0).sum() == 40


@given(st.lists(VALUES | st.just(NULL), max_size=12), CHUNKS, st.integers(0, 3))
def test_shapes_filled_with_their_integers_are_the_values(
    values: list[Json], chunk_bytes: int, cut: int
) -> None:
    texts = array(values)[cut:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_shapes, "_CHUNK_BYTES", chunk_bytes)
        shapes = shapes_of(texts)
    seen = set()
    for shape, rows, table in shapes.groups():
        for row, integers in zip(rows.tolist(), table.tolist(), strict=True):
            seen.add(row)
            assert canonical(filled(shape, integers)).decode() == texts[row].as_py()
    told = texts.to_pylist()
    left = set(range(len(told))) - seen
    assert left == {row for row, text in enumerate(told) if text is None or has_inexact(text)}


def test_items_are_taken_out_of_the_lists_around_them() -> None:
    batches = {"5": [[0, "x"], [1, 2]], "6": [[3, 4]]}
    items = items_of(array([[["poll", batches]], [], [["poll", {}]]]), 5)
    assert items.outer.to_pylist() == ['[["poll",{"5":[],"6":[]}]]', "[]", '[["poll",{}]]']
    assert items.texts.to_pylist() == ['[0,"x"]', "[1,2]", "[3,4]"]
    assert items.owner.tolist() == [0, 0, 0]
    assert items.inside.tolist() == [0, 0, 1]


@pytest.mark.parametrize("value", [[[1], 2], [2, [1]], [{"a": 1}], {"a": [1]}, [[1], {"b": 2}]])
def test_lists_of_something_else_as_well_are_not_fit(value: Json) -> None:
    items = items_of(array([value, [[1]]]), 2)
    assert items.outer.to_pylist() == [None, "[]"]
    assert items.owner.tolist() == [1]


@given(st.lists(VALUES | NESTED | st.just(NULL), max_size=12), st.integers(2, 4), CHUNKS)
def test_items_put_back_are_the_values(values: list[Json], depth: int, chunk_bytes: int) -> None:
    texts = array(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_shapes, "_CHUNK_BYTES", chunk_bytes)
        items = items_of(texts, depth)
    assert len(items.outer) == len(texts)
    for row, outer in enumerate(items.outer.to_pylist()):
        if outer is None:
            continue
        mine = [
            (inside, json.loads(items.texts[n].as_py()))
            for n, (owner, inside) in enumerate(
                zip(items.owner.tolist(), items.inside.tolist(), strict=True)
            )
            if owner == row
        ]
        whole = json.loads(outer)
        lists = list(lists_at(whole, depth - 1))
        for inside, item in mine:
            lists[inside].append(item)
        assert canonical(whole).decode() == texts[row].as_py()


def lists_at(value: Json, depth: int) -> Any:
    """The lists that stand so many brackets deep, in turn."""
    if isinstance(value, list) and depth == 1:
        yield value
    elif isinstance(value, list | dict):
        for item in value if isinstance(value, list) else value.values():
            yield from lists_at(item, depth - 1)
