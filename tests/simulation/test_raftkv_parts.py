"""The parts of raftkv that need no world: majorities, logs, commands that come twice."""

from __future__ import annotations

from itertools import combinations
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.raftkv._log import Log
from simulation.raftkv._messages import Append, Config, Entry, decode, encode
from simulation.raftkv._raft import Raft
from simulation.raftkv._records import Hard
from simulation.raftkv._shard import (
    ACTIVE,
    INSTALLED,
    MIGRATING_IN,
    READ_ONLY,
    REFUSED,
    Command,
    Shard,
    encoded,
)
from simulation.raftkv._timing import Timing

NAMES = ("n1", "n2", "n3", "n4", "n5")
VOTERS = st.sets(st.sampled_from(NAMES), min_size=1).map(lambda names: tuple(sorted(names)))
REACHED = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 9))


def agreed_by_trying(voters: tuple[str, ...], of: dict[str, int]) -> int:
    """The greatest number that all of some majority have reached."""
    size = len(voters) // 2 + 1
    return max(min(of.get(name, 0) for name in some) for some in combinations(voters, size))


@given(VOTERS, REACHED)
def test_a_majority_agrees_on_what_all_of_it_have_reached(
    voters: tuple[str, ...], of: dict[str, int]
) -> None:
    assert Config(voters).agreed(of) == agreed_by_trying(voters, of)


@given(VOTERS, VOTERS, REACHED)
def test_a_joint_configuration_needs_both_majorities(
    old: tuple[str, ...], new: tuple[str, ...], of: dict[str, int]
) -> None:
    both = min(agreed_by_trying(old, of), agreed_by_trying(new, of))
    assert Config(old, new).agreed(of) == both


@given(st.lists(st.integers(1, 3)).map(sorted), st.data())
def test_a_log_is_the_same_after_its_beginning_went_into_a_snapshot(
    terms: list[int], data: st.DataObject
) -> None:
    log = Log()
    log.entries += [Entry(term) for term in terms]
    base = data.draw(st.integers(0, len(terms)))
    log.rebase(base, terms[base - 1] if base else 0)
    assert log.last == len(terms)
    assert log.last_term == (terms[-1] if terms else 0)
    assert [log.term(index) for index in range(base + 1, log.last + 1)] == terms[base:]


def test_a_snapshot_that_contradicts_the_log_leaves_nothing_of_it() -> None:
    log = Log()
    log.entries += [Entry(1), Entry(1), Entry(1)]
    log.rebase(2, 5)
    assert (log.last, log.last_term, log.term(3)) == (2, 5, None)


def test_messages_come_back_as_they_were_sent() -> None:
    message = Append("s1.1", 3, 7, 2, [Entry(3, 1, b"x")], 7, 12)
    assert decode(encode(message)) == message
    with pytest.raises(msgspec.MsgspecError):
        decode(b"nonsense")


def write(client: str, seq: int, value: int) -> bytes:
    return encoded(Command("write", client, seq, "k", value))


def test_a_command_that_comes_twice_is_done_once_also_after_a_snapshot() -> None:
    shard, other = Shard(), Shard()
    shard.apply(1, write("a", 1, 10))
    shard.apply(1, write("b", 1, 20))
    other.load(shard.dump())
    for each in (shard, other):
        assert each.apply(1, write("a", 1, 10)) is True
        assert each.read("k") == 20


def test_a_compare_and_set_that_comes_twice_answers_the_same() -> None:
    shard = Shard()
    swap = encoded(Command("cas", "a", 1, "k", [None, 5]))
    assert shard.apply(1, swap) is True
    assert shard.apply(1, swap) is True
    assert shard.apply(1, encoded(Command("cas", "a", 2, "k", [None, 6]))) is False


def test_a_frozen_shard_refuses_writes_and_its_copy_accepts_them_once_active() -> None:
    source, target = Shard(), Shard(MIGRATING_IN)
    source.apply(1, write("a", 1, 10))
    assert source.apply(1, encoded(Command("freeze"))) == READ_ONLY
    assert source.apply(1, write("b", 1, 20)) == REFUSED
    assert target.apply(1, encoded(Command("activate"))) == MIGRATING_IN  # nothing has come yet
    assert target.apply(1, encoded(Command("install", value=source.piece(0)))) == INSTALLED
    assert target.apply(1, write("b", 1, 20)) == REFUSED
    assert target.apply(1, encoded(Command("activate"))) == ACTIVE
    assert target.apply(1, write("a", 1, 10)) is True
    assert target.read("k") == 10


def test_who_was_sent_away_forgets_who_led() -> None:
    raft = Raft(
        "n4", "s1.1", Hard("s1.1", 4, ""), Log(), Config(("n1", "n2", "n3")),
        timing=Timing(), random=Random(0), now=0.0, wall=lambda: 0.0,
    )  # fmt: skip
    raft.step(0.1, "n3", Append("s1.1", 4, 0, 0, [], 0, 1))
    knew = [raft.known]
    for now in (raft.deadline - 0.001, raft.deadline):
        raft.tick(now)
        knew.append(raft.known)
    assert knew == ["n3", "n3", None]  # n3 may be gone, too, and clients would go round in circles
    assert raft.role == "follower"
