"""What survives a crash is allowed by the contract of disks, and what was synced survives.

The oracle knows for every byte of a file which values it may have, None standing for "the file
may have ended before"; and for names it tries all sets of changes that may have been lost.
"""

from __future__ import annotations

from itertools import chain, combinations
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from simulation._storage import WRITEBACK_S, Inode, Storage

NAMES = ("a", "b", "c")
DATA = st.binary(min_size=1, max_size=5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.sampled_from(NAMES), DATA),
        st.tuples(st.just("overwrite"), st.sampled_from(NAMES), DATA),
        st.tuples(st.just("cut"), st.sampled_from(NAMES), st.integers(0, 6)),
        st.tuples(st.just("sync"), st.sampled_from(NAMES), st.booleans()),
        st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
        st.tuples(st.just("remove"), st.sampled_from(NAMES), st.none()),
    ),
    max_size=14,
)
Cells = list[set[int | None]]


class Bytes:
    """What a file may hold: `certain` so far, and the writes that perhaps happened."""

    def __init__(self) -> None:
        self.certain: Cells = []
        self.perhaps: list[tuple[int, bytes | None]] = []

    def sync(self, succeeded: bool) -> None:
        for write in self.perhaps:
            fold(self.certain, *write, certain=succeeded)
        self.perhaps = []

    def allows(self, data: bytes) -> bool:
        cells = [set(cell) for cell in self.certain]
        for write in self.perhaps:
            fold(cells, *write, certain=False)
        return (
            len(data) <= len(cells)
            and all(byte in cell for byte, cell in zip(data, cells, strict=False))
            and all(None in cell for cell in cells[len(data) :])
        )


def fold(cells: Cells, offset: int, data: bytes | None, *, certain: bool) -> None:
    if data is None:
        if certain:
            del cells[offset:]
        for cell in cells[offset:]:
            cell.add(None)
        return
    end = offset + len(data)
    new = range(len(cells), end)
    cells.extend({None} for _ in new)
    for i, cell in enumerate(cells[:end]):
        if None in cell:  # what was not there is zero if something behind it is
            cell.add(0)
            if certain:
                cell.discard(None)
        if i >= offset:
            if certain:
                cell.clear()
            cell.add(data[i - offset])


class Names:
    """The tables of names that may be left."""

    def __init__(self, certain: dict[str, Inode]) -> None:
        self.certain = certain
        self.changes: list[dict[str, Inode | None]] = []
        self.settled: set[int] = set()

    def sync(self, name: str) -> None:
        wanted = {name}
        for i in reversed(range(len(self.changes))):
            if wanted & self.changes[i].keys():
                wanted |= self.changes[i].keys()
                self.settled.add(i)

    def tables(self) -> list[dict[str, Inode]]:
        every = range(len(self.changes))
        loose = [i for i in every if i not in self.settled]
        found = []
        for lost in chain.from_iterable(combinations(loose, n) for n in range(len(loose) + 1)):
            kept = [i for i in every if i not in lost]
            if any(j < i and self.changes[i].keys() & self.changes[j].keys()
                   for i in kept for j in lost):  # fmt: skip
                continue
            table: dict[str, Inode | None] = {**self.certain}
            for i in kept:
                table |= self.changes[i]
            found.append({name: inode for name, inode in table.items() if inode is not None})
        return found


class Model:
    """A storage, and beside it what may become of it."""

    def __init__(self, seed: int) -> None:
        self.storage = Storage(Random(seed))
        self.names = Names({})
        self.bytes: dict[Inode, Bytes] = {}

    def step(self, what: str, name: str, value: object) -> None:
        storage = self.storage
        if name not in storage.names:
            if what not in ("append", "overwrite"):
                return
            inode = storage.make(name)
            self.names.changes.append({name: inode})
            self.bytes[inode] = Bytes()
        inode = storage.find(name)
        perhaps = self.bytes[inode].perhaps
        if what == "append":
            assert isinstance(value, bytes)
            perhaps.append((len(inode.data), value))
            storage.write(inode, len(inode.data), value)
        elif what == "overwrite":
            assert isinstance(value, bytes)
            storage.cut(inode, 0)
            storage.write(inode, 0, value)
            perhaps += [(0, None), (0, value)]
        elif what == "cut":
            assert isinstance(value, int)
            if value < len(inode.data):
                perhaps.append((value, None))
            storage.cut(inode, value)
        elif what == "sync":
            upto = storage.mark()
            if value:
                storage.sync(name, inode, upto)
                self.names.sync(name)
            else:
                storage.fail_sync(inode, upto)
            self.bytes[inode].sync(bool(value))
        elif what == "rename":
            assert isinstance(value, str)
            storage.rename(name, value)
            if name != value:
                self.names.changes.append({name: None, value: inode})
        elif what == "remove":
            storage.remove(name)
            self.names.changes.append({name: None})

    def crash(self) -> None:
        self.storage.crash()
        left = self.storage.names
        assert left in self.names.tables()
        for name, inode in left.items():
            assert self.bytes[inode].allows(bytes(inode.data)), (name, bytes(inode.data))
            again = Bytes()
            again.certain = [{byte} for byte in inode.data]
            self.bytes[inode] = again
        self.names = Names(dict(left))


@settings(max_examples=200)
@given(st.integers(0, 1 << 32), st.lists(STEPS, min_size=1, max_size=3))
def test_a_crash_leaves_only_what_the_contract_allows(
    seed: int, lives: list[list[tuple[str, str, object]]]
) -> None:
    model = Model(seed)
    for steps in lives:
        for step in steps:
            model.step(*step)
        model.crash()


@given(st.integers(0, 1 << 32), DATA, DATA)
def test_what_was_synced_survives_and_a_rename_is_whole(seed: int, old: bytes, new: bytes) -> None:
    storage = Storage(Random(seed))

    def stored(name: str, data: bytes) -> None:
        storage.write(storage.make(name), 0, data)
        storage.sync(name, storage.find(name), storage.mark())

    stored("state", old)
    stored("new", new)
    storage.rename("new", "state")
    storage.crash()
    left = {name: bytes(inode.data) for name, inode in storage.names.items()}
    assert left in ({"state": old, "new": new}, {"state": new})


def outcomes(
    *, synced: bool = False, failed: bool = False, age_s: float = 0.0
) -> set[bytes | None]:
    found: set[bytes | None] = set()
    for seed in range(400):
        storage = Storage(Random(seed))
        inode = storage.make("log")
        storage.sync("log", inode, storage.mark())
        for record in (b"ab", b"cd"):
            storage.write(inode, len(inode.data), record)
        if failed:
            storage.fail_sync(inode, storage.mark())
        if synced:
            storage.sync("log", inode, storage.mark())
        storage.now_s += age_s
        storage.crash()
        left = storage.names.get("log")
        found.add(None if left is None else bytes(left.data))
    return found


def test_writes_are_lost_torn_and_kept_in_any_order() -> None:
    assert {b"", b"a", b"ab", b"abc", b"abcd", b"\0\0cd", b"\0b"} <= outcomes()


def test_after_a_failed_sync_the_next_one_does_not_bring_back_what_was_lost() -> None:
    assert outcomes(synced=True) == {b"abcd"}
    assert {b"", b"abcd"} < outcomes(failed=True, synced=True)


def test_what_is_old_has_been_written_by_itself() -> None:
    assert outcomes(age_s=WRITEBACK_S + 1) == {b"abcd"}
