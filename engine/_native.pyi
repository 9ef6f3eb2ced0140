"""The native half of momus; see `engine/src`."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

_Codes = npt.NDArray[np.int32]

# --- reading: files into columns -----------------------------------------------------------

class ReadingError(ValueError):
    """A flawed file: args are (line, what is wrong, whether it is corruption)."""

    args: tuple[int, str, bool]

def read_jsonl(source: str | PathLike[str] | bytes, *, dense: bool = True) -> dict[str, Any]: ...
def read_edn(source: str | PathLike[str] | bytes) -> dict[str, Any]: ...
def read_log(source: str | PathLike[str] | bytes) -> dict[str, Any]: ...
def canonical_json(raw: bytes) -> bytes: ...

# --- search: linearizability over columns ----------------------------------------------------

class _Limits(Protocol):
    @property
    def seconds(self) -> float | None: ...
    @property
    def bytes(self) -> int | None: ...
    @property
    def jobs(self) -> int: ...
    @property
    def steps(self) -> int | None: ...
    @property
    def only(self) -> Sequence[int] | None: ...
    @property
    def earlier(self) -> Sequence[Suspended | None]: ...
    @property
    def tell(self) -> Callable[[int, Answer], None] | None: ...

_Values = tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]
"""Canonical JSON texts, end to end: offsets, one more than there are texts, and data."""

class Answer:
    """What was found for one key; indexes are positions in the history's events."""

    verdict: Literal["valid", "invalid", "unknown"]
    algorithm: str
    exhausted: Literal["time", "memory", "steps", "width", "broken", "unfit"] | None
    order: np.ndarray[tuple[int], np.dtype[np.uint32]]
    stuck: int | None
    concurrent: list[int]
    writer: int | None
    position: int
    configurations: list[tuple[str, list[int], list[tuple[int, int]]]]
    configurations_total: int
    excerpt: bool
    reached: int | None
    suspended: Suspended | None

class Suspended:
    """Where the search of one key was when it ended."""

    @staticmethod
    def from_bytes(data: bytes, states: Sequence[str]) -> Suspended: ...
    def to_bytes(self) -> bytes: ...
    @property
    def states(self) -> list[str]: ...
    @property
    def visited(self) -> int: ...

class Operations:
    """The client operations of a history by key; raises OverflowError if too many are open."""

    def __init__(
        self,
        time: npt.NDArray[np.int64],
        process: npt.NDArray[np.int32],
        kind: npt.NDArray[np.uint8],
        f: npt.NDArray[np.int32],
        key: npt.NDArray[np.int32],
        value: npt.NDArray[np.int32],
        partner: npt.NDArray[np.int64],
        by_process: bool,
        jobs: int,
    ) -> None: ...
    @property
    def keys(self) -> list[int]: ...
    @property
    def sizes(self) -> list[int]: ...
    @property
    def completed(self) -> list[int]: ...
    @property
    def widths(self) -> list[int]: ...
    @property
    def count(self) -> int: ...
    @property
    def ties(self) -> int: ...
    @property
    def timeless(self) -> bool: ...
    @property
    def classes(self) -> tuple[_Codes, _Codes, _Codes, npt.NDArray[np.bool_], _Codes]: ...
    def search_object(
        self,
        model: str,
        names: Sequence[str],
        values: _Values,
        initial: str,
        algorithm: str,
        limits: _Limits,
    ) -> list[Answer]: ...
    def search_register(
        self,
        names: Sequence[str],
        values: _Values,
        initial: str,
        with_cas: bool,
        algorithm: str,
        limits: _Limits,
    ) -> list[Answer]: ...
    def search_strings(
        self, names: Sequence[str], values: _Values, initial: str, limits: _Limits
    ) -> list[Answer]: ...
    def search_python(
        self,
        ask: Callable[[int, int], int],
        read_only: Sequence[bool],
        only: Sequence[int],
        limits: _Limits,
    ) -> list[Answer]: ...

class SequentialAnswer:
    """What was found for a whole history; operations are invocation events."""

    verdict: Literal["valid", "invalid", "unknown"]
    exhausted: Literal["time", "memory", "steps", "broken"] | None
    order: np.ndarray[tuple[int], np.dtype[np.uint32]]
    placed: int
    next: list[tuple[int, str]]
    last: list[int]
    orphan: int | None
    key: int | None

def search_sequential(
    operations: Operations,
    process: npt.NDArray[np.int32],
    partner: npt.NDArray[np.int64],
    native: tuple[str, Sequence[str], _Values, str] | None,
    python: tuple[Callable[[int, int], int], Sequence[bool]] | None,
    seconds: float | None,
    bytes: int | None,
) -> SequentialAnswer:
    """Looks for an order of all operations that keeps that of each process."""
