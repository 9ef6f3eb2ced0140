"""Watches and what they promise, event by event."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence import Watch
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
