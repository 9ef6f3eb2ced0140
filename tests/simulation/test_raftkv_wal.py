"""The log of raftkv on disk: what was torn is cut off, what was promised is never."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation import SimulatedCluster, World, run
from simulation.raftkv._records import Hard, Record
from simulation.raftkv._wal import NAME, CorruptLog, Wal

RECORDS: list[Record] = [Hard("s1", term) for term in range(1, 10)]


def loaded(batches: list[int], broken: int | None = None) -> list[Record]:
    """What a node finds in a log of such batches, of which one record was broken."""
    found: list[Record] = []

    async def program(world: World) -> None:
        wal, records = Wal(world, list, None), iter(RECORDS)
        for size in batches:
            wal.submit([next(records) for _ in range(size)], lambda: None)
            while not wal.idle:
                await world.clock.sleep(0.01)
        data = bytearray(await world.disk.read(NAME))
        if broken is not None:
            data[(broken + 1) * len(data) // sum(batches) - 1] ^= 1
        await world.disk.write(NAME, bytes(data))
        found.extend(await Wal(world, list, None).load())
        found.extend(await Wal(world, list, None).load())  # what was cut off stays away

    async def play() -> list[str]:
        cluster = SimulatedCluster(["n1"], program, 1)
        cluster.start()
        await asyncio.sleep(5)
        cluster.stop()
        return cluster.machines["n1"].deaths

    for death in run(play()):
        if death.startswith("CorruptLog"):
            raise CorruptLog(death)
        raise AssertionError(death)
    half = len(found) // 2
    assert found[:half] == found[half:]
    return found[:half]


def test_a_whole_log_is_read_as_it_was_written() -> None:
    assert loaded([1, 3, 2]) == RECORDS[:6]


def test_a_torn_record_is_cut_off_with_what_is_left_of_its_batch() -> None:
    assert loaded([2, 4], broken=3) == RECORDS[:3]


def test_a_broken_record_before_a_later_batch_was_not_torn() -> None:
    with pytest.raises(CorruptLog):
        loaded([2, 3, 1], broken=3)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.data())
def test_what_stands_in_an_earlier_batch_is_never_cut_off(
    batches: list[int], data: st.DataObject
) -> None:
    broken = data.draw(st.integers(0, sum(batches) - 1))
    in_last = broken >= sum(batches[:-1])
    if in_last:
        assert loaded(batches, broken) == RECORDS[:broken]
    else:
        with pytest.raises(CorruptLog):
            loaded(batches, broken)
