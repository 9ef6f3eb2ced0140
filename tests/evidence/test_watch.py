"""Watches and what they promise, event by event."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence import Watch
from checker.evidence._checker import operations
from checker.evidence._watch_shapes import cleared
from histories import History, Json, Op

KINDS = ("ordered", "unique", "reliable", "resumable", "bookmark", "diverged", "unexpected")


def written(*revisions: int, key: str = "x") -> list[Op]:
    """Writes whose values are a hundred times their revisions."""
    return [
        op
        for revision in revisions
        for op in (
            Op("write", [None, revision * 100], process=0, key=key),
            Op("write", [revision, revision * 100], process=0, key=key, type="ok"),
        )
    ]


def event(revision: int, key: str = "x") -> Json:
    return [revision, key, revision * 100]


def watch(
    *events: Json,
    start: int | None = 1,
    end: int | None = None,
    process: int = 1,
    key: str | None = "x",
    type: str = "ok",
) -> list[Op]:
    told: Json = {"from": start, "events": list(events), "revision": end}
    return [
        Op("watch", {"from": start}, process=process, key=key),
        Op("watch", told, process=process, key=key, type=type),  # type: ignore[arg-type]
    ]


def broken(ops: list[Op]) -> dict[str, int]:
    verdict = Watch().check(History.from_ops(ops))
    counts = {kind: verdict.details[f"{kind}_count"] for kind in KINDS}
    assert (verdict.valid is False) is any(counts.values())
    return {kind: count for kind, count in counts.items() if count}


@pytest.mark.parametrize(
    ("watched", "expected"),
    [
        (watch(event(1), event(2), event(3)), {}),
        (watch(event(1), event(2)), {}),
        (watch(event(2), event(3), start=2), {}),
        (watch(event(2), event(3), start=None), {}),
        (watch(event(1), event(3), event(2)), {"ordered": 1}),
        (watch(event(1), event(2), start=2), {"ordered": 1}),
        (watch(event(1), event(2), event(2)), {"unique": 1}),
        (watch(event(1), event(3)), {"reliable": 1}),
        (watch(event(2), event(3)), {"reliable": 1}),
        (watch(event(1), event(3), type="info"), {"reliable": 1}),
        (watch(event(1), [1], event(2)), {}),
        (watch(event(1), [2]), {"bookmark": 1}),
        (watch(event(1), [2], event(2)), {"bookmark": 1}),
        (watch(event(1), event(2), end=3), {"bookmark": 1}),
        (watch(event(1), [2, "x", 7]), {"diverged": 1}),
        (watch(event(1), event(2), event(3), [4, "x", 7]), {"unexpected": 1}),
    ],
)
def test_one_watch(watched: list[Op], expected: dict[str, int]) -> None:
    assert broken(written(1, 2, 3) + watched) == expected


def test_a_watch_goes_on_where_it_broke() -> None:
    begun = written(1, 2, 3) + watch(event(1), type="info")
    assert broken(begun + watch(event(2), event(3), start=2)) == {}
    assert broken(begun + watch(event(3), start=2)) == {"resumable": 1}


def test_another_key_is_not_watched() -> None:
    ops = written(1, 3) + written(2, key="y")
    assert broken(ops + watch(event(1), event(3))) == {}
    assert broken(ops + watch(event(1), event(3), key=None)) == {"reliable": 1}


def test_what_one_watch_told_others_have_to_tell() -> None:
    ops = watch(event(1), event(2), event(3), process=2)
    assert broken(ops + watch(event(1), event(3))) == {"reliable": 1}


def test_an_event_of_a_doubtful_write_is_expected() -> None:
    doubtful = [
        Op("write", [None, 200], process=3, key="x"),
        Op("write", [None, 200], process=3, key="x", type="info"),
    ]
    ops = written(1)
    assert broken(ops + doubtful + watch(event(1), event(2))) == {}
    assert broken(ops + watch(event(1), event(2))) == {"unexpected": 1}


def test_the_sentence_names_the_write_that_was_left_out() -> None:
    verdict = Watch().check(History.from_ops(written(1, 2, 3) + watch(event(1), event(3))))
    [found] = verdict.counterexamples
    assert 'revision 2 of key "x", write [2, 200] by process 0' in found.sentence
    assert [each.f for each in found.operations] == ["write", "watch", "watch"]


def test_without_events_nothing_is_shown() -> None:
    assert Watch().check(History.from_ops(written(1) + watch())).valid == "unknown"
    assert Watch().check(History.from_ops(written(1) + watch(end=1))).valid is False


def test_other_answers_are_refused() -> None:
    ops = [Op("watch", process=0), Op("watch", [1, 2], process=0, type="ok")]
    with pytest.raises(ValueError, match="a watch answers"):
        Watch().check(History.from_ops(ops))


@given(st.lists(st.sampled_from(["fine", "left out", "twice"]), min_size=1, max_size=40))
def test_as_many_breaches_are_found_as_were_planted(fates: list[str]) -> None:
    told: list[Json] = []
    for revision, fate in enumerate(fates, 1):
        told += [event(revision)] * {"fine": 1, "left out": 0, "twice": 2}[fate]
    count = len(fates)
    ops = written(*range(1, count + 2)) + watch(*told, event(count + 1))
    counts = broken(ops)
    assert counts.get("reliable", 0) == fates.count("left out")
    assert counts.get("unique", 0) == fates.count("twice")
    assert counts.keys() <= {"reliable", "unique"}


def compacted(revision: int, *events: Json, start: int | None = 1) -> list[Op]:
    """A watch that was ended since it asked for what is older than this revision."""
    told: Json = {"from": start, "compacted": revision}
    if events:
        told["events"] = list(events)
    return [
        Op("watch", {"from": start}, process=1, key="x"),
        Op("watch", told, process=1, key="x", type="info"),
    ]


@pytest.mark.parametrize(
    ("watched", "expected"),
    [
        (compacted(3), {}),
        (compacted(3) + watch(event(3), event(4), start=3), {}),
        (compacted(3) + watch(event(4), start=3), {"resumable": 1}),
        (compacted(3) + watch(event(4), start=4), {}),
        # What came before it was ended counts, and in order.
        (compacted(3, event(1)), {}),
        (compacted(3, event(1), event(4)), {"reliable": 1}),
        (compacted(3, event(2), event(1)), {"ordered": 1}),
        (compacted(3, event(1), event(1)), {"unique": 1}),
    ],
)
def test_what_was_compacted_need_not_be_told(watched: list[Op], expected: dict[str, int]) -> None:
    assert broken(written(1, 2, 3, 4) + watched) == expected


REVISIONS = st.integers(0, 5)
CONTENTS = st.sampled_from([0, 1, None, "a", "a\\b", 10**20, 1.5, [2], True])
EVENTS = st.one_of(
    st.tuples(REVISIONS, st.sampled_from(["x", "x", "x", "y", 5]), CONTENTS).map(list),
    REVISIONS.map(lambda revision: [revision, "x", 0]),
    st.tuples(REVISIONS).map(list),
)
BOUNDS = st.none() | REVISIONS


@st.composite
def answers(draw: st.DrawFn) -> Json:
    """What a watch told, in order or not."""
    events: list[Any] = draw(st.lists(EVENTS, max_size=4))
    if draw(st.booleans()):
        events.sort(key=lambda item: item[0])
    told: Json = {"from": draw(BOUNDS), "events": events}
    told |= draw(st.sampled_from([{}, {}, {"compacted": 3}, {"compacted": None}]))
    if draw(st.booleans()):
        told["revision"] = draw(BOUNDS)
    return told


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.tuples(st.sampled_from(["watch", "final-watch"]), answers() | st.none()),
                st.tuples(
                    st.sampled_from(["write", "put"]),
                    st.tuples(REVISIONS | st.none(), CONTENTS).map(list) | CONTENTS,
                ),
                st.tuples(REVISIONS, st.just(0)).map(lambda pair: ("write", list(pair))),
                st.just(("cas", [None, [0, 1]])),
            ),
            st.sampled_from(["ok", "ok", "ok", "info", "fail"]),
            st.sampled_from(["x", "x", "x", "y", None]),
        ),
        max_size=8,
    )
)
def test_columns_clear_nobody_who_broke_a_promise(told: list[Any]) -> None:
    ops = [
        op
        for process, ((f, value), outcome, key) in enumerate(told)
        for op in (
            Op(f, None, process=process % 3, key=key),
            Op(f, value, process=process % 3, key=key, type=outcome),
        )
    ]
    history = History.from_ops(ops)
    quick, slow = (Watch(quick=quick).check(history) for quick in (True, False))
    assert msgspec.structs.replace(quick, seconds=0) == msgspec.structs.replace(slow, seconds=0)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["fine", "left out"])), max_size=30),
    st.booleans(),
)
def test_only_suspected_keys_are_looked_at_one_by_one(
    fates: list[tuple[int, str]], texts: bool
) -> None:
    ops: list[Op] = []
    told: dict[int, list[Json]] = {key: [] for key in range(5)}
    for revision, (key, fate) in enumerate([*fates, *((key, "fine") for key in range(5))], 1):
        value: Json = f"v{revision}" if texts else revision
        ops += [Op("write", [None, value], process=9, key=key)]
        ops += [Op("write", [revision, value], process=9, key=key, type="ok")]
        if fate == "fine":
            told[key].append([revision, key, value])
    for key, events in told.items():
        answer: Json = {"from": 1, "events": events}
        ops += [Op("watch", process=key, key=key)]
        ops += [Op("watch", answer, process=key, key=key, type="ok")]
    history = History.from_ops(ops)
    watches, writes = (operations(history, f) for f in ("watch", "write"))
    found = cleared(history, watches, writes)
    assert found is not None
    suspects = {history.key_of(code) for code in found.suspects.tolist()}
    assert suspects == {key for key, fate in fates if fate == "left out"}
    assert broken(ops).get("reliable", 0) == sum(fate == "left out" for _, fate in fates)
