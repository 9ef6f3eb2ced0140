"""One flipped byte, anywhere: reported as corruption, never judged."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from histories import CorruptHistory, History, Recorder, Run, Store

TRIES = 1_000


def recorded(path: Path, groups: int = 6) -> None:
    """A closed recording of several groups, as the recorder leaves it."""
    chance = random.Random(1)
    with Recorder(path, {"name": "damaged", "seed": 1}) as recorder:
        for group in range(groups):
            for process in range(4):
                value = chance.choice([1, 2.5, None, [1, 2], {"a": "b"}, "text"])
                recorder.record(group, process, "invoke", "write", f"k{process}", value)
                recorder.record(group, process, "ok", "write", f"k{process}", value)
            recorder.record(group, "nemesis", "info", "kill", None, {"targets": ["n1"]})
            recorder.flush()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with each of the files that must notice damage."""
    run = Store(tmp_path_factory.mktemp("store")).create("damaged", {"seed": 1})
    recorded(run.path / "history.jsonl")
    history = run.history()
    history.write_parquet(run.path / "sealed.parquet")
    history.write_jsonl(run.path / "written.jsonl")
    run.write_results({"valid": False, "operations": 24, "note": 'é"\\'})
    return run


def flips(size: int) -> list[tuple[int, int]]:
    """Places and masks: every place of a small file, random ones of a large file."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    places = [chance.randrange(size) for _ in range(TRIES)]
    # The first and the last bytes are where formats keep their marks.
    places += [*range(min(size, 12)), *range(max(0, size - 12), size)]
    return [(place, chance.randrange(1, 256)) for place in places]


READERS: dict[str, Callable[[Path], object]] = {
    "history.jsonl": History.read,
    "written.jsonl": History.read,
    "sealed.parquet": History.read,
    "results.json": lambda path: Run(path.parent).results(),
    "test.json": lambda path: Run(path.parent).meta,
}


def noticed(read: Callable[[Path], object], path: Path) -> bool:
    """Whether the damage is reported as corruption of that file."""
    try:
        read(path)
    except CorruptHistory as corruption:
        return str(path) in str(corruption)
    return False


@pytest.mark.parametrize("name", READERS)
def test_a_flipped_byte_is_corruption(run: Run, name: str) -> None:
    path = run.path / name
    whole = path.read_bytes()
    READERS[name](path)
    try:
        for place, mask in flips(len(whole)):
            damaged = bytearray(whole)
            damaged[place] ^= mask
            path.write_bytes(damaged)
            assert noticed(READERS[name], path), f"byte {place} of {name} xor {mask}"
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["results.json", "test.json"])
def test_every_single_place_counts(run: Run, name: str) -> None:
    """Also the bits that make another valid document: case, digits, white space."""
    path = run.path / name
    whole = path.read_bytes()
    try:
        for place in range(len(whole)):
            damaged = bytearray(whole)
            damaged[place] ^= 1
            path.write_bytes(damaged)
            with pytest.raises(CorruptHistory):
                READERS[name](path)
    finally:
        path.write_bytes(whole)


def test_a_flip_in_a_torn_recording_is_never_judged(tmp_path: Path) -> None:
    """Behind the last checksum nothing is kept, so a flip there changes nothing kept."""
    path = tmp_path / "history.jsonl"
    recorded(path)
    whole = path.read_bytes()
    closing = whole.rindex(b'{"checksum"')
    last = whole.rindex(b'{"checksum"', 0, closing)
    torn = whole[: last + 20]
    path.write_bytes(torn)
    kept = list(History.read(path))
    assert 0 < len(kept) < 54
    for place, mask in flips(len(torn)):
        damaged = bytearray(torn)
        damaged[place] ^= mask
        path.write_bytes(damaged)
        with contextlib.suppress(CorruptHistory):
            assert list(History.read(path)) == kept


def test_a_lost_group_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    recorded(path)
    lines = path.read_bytes().splitlines(keepends=True)
    marks = [number for number, line in enumerate(lines) if line.startswith(b'{"checksum"')]
    path.write_bytes(b"".join(lines[: marks[1] + 1] + lines[marks[2] + 1 :]))
    with pytest.raises(CorruptHistory, match="do not match their checksum"):
        History.read(path)


def test_a_parquet_file_cut_short_is_corruption(run: Run, tmp_path: Path) -> None:
    whole = (run.path / "sealed.parquet").read_bytes()
    path = tmp_path / "short.parquet"
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(CorruptHistory):
            History.read(path)


def test_standard_input_is_verified_too(run: Run) -> None:
    from histories._reading import _parsed

    whole = bytearray((run.path / "sealed.parquet").read_bytes())
    assert len(_parsed(bytes(whole), "parquet", "stdin")) == 54
    whole[100] ^= 1
    with pytest.raises(CorruptHistory, match="stdin"):
        _parsed(bytes(whole), "parquet", "stdin")
