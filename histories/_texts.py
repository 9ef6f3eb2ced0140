"""A table of texts that lie end to end in one buffer, as Arrow lays out its strings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, overload

import numpy as np
import numpy.typing as npt

from histories._event import Json
from histories._json import decode

if TYPE_CHECKING:
    import pyarrow as pa

_SEARCHES_MAX: Final = 8
"""So many times a code is searched for before there is a dictionary of all texts."""


class Texts(Sequence[bytes]):
    """Canonical JSON texts by code; `decoded(code)` is the value, decoded once."""

    def __init__(self, offsets: bytes | memoryview, data: bytes | memoryview) -> None:
        self.offsets: npt.NDArray[np.int64] = np.frombuffer(offsets, dtype=np.int64)
        self.data = memoryview(data)
        self._decoded: dict[int, Json] = {-1: None}
        self._codes: dict[bytes, int] | None = None
        self._asked = 0

    @staticmethod
    def of_arrow(array: pa.Array) -> Texts:
        """The texts of a string array without nulls."""
        import pyarrow as pa

        array = array.cast(pa.large_string())
        _, offsets, data = array.buffers()
        if offsets is None or len(array) == 0:
            return Texts(bytes(8), b"")
        start = array.offset * 8
        window = memoryview(offsets)[start : start + (len(array) + 1) * 8]
        return Texts(window, memoryview(data) if data is not None else b"")

    def to_arrow(self) -> pa.LargeStringArray:
        import pyarrow as pa

        return pa.LargeStringArray.from_buffers(
            len(self), pa.py_buffer(self.offsets), pa.py_buffer(self.data)
        )

    def __reduce__(self) -> tuple[type[Texts], tuple[bytes, bytes]]:
        return Texts, (self.offsets.tobytes(), bytes(self.data))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, code: int) -> bytes: ...
    @overload
    def __getitem__(self, code: slice) -> list[bytes]: ...
    def __getitem__(self, code: int | slice) -> bytes | list[bytes]:
        if isinstance(code, slice):
            return [self[position] for position in range(len(self))[code]]
        if not 0 <= code < len(self):
            raise IndexError(f"no text has the code {code}; there are {len(self)}")
        return bytes(self.data[self.offsets[code] : self.offsets[code + 1]])

    def decoded(self, code: int) -> Json:
        """The value behind a code; -1 is None.  Lists and dicts are shared: do not modify."""
        try:
            return self._decoded[code]
        except KeyError:
            value = self._decoded[code] = decode(self[code])
            return value

    def decode_all(self) -> None:
        """Decodes all values at once, which takes a tenth of the time of one by one."""
        if len(self._decoded) > len(self):
            return
        first, last = self.offsets[0], self.offsets[-1]
        data = np.frombuffer(self.data, dtype=np.uint8)[first:last]
        with_commas = np.insert(data, self.offsets[1:-1] - first, ord(","))
        values: list[Json] = decode(b"[" + with_commas.tobytes() + b"]")
        known, self._decoded = self._decoded, dict(enumerate(values))
        self._decoded.update(known)

    def code_of(self, text: bytes) -> int | None:
        """The code of a canonical text, if it is in the table."""
        if self._codes is None and self._asked < _SEARCHES_MAX:
            self._asked += 1
            return self._searched(text)
        if self._codes is None:
            self._codes = {known: code for code, known in enumerate(self)}
        return self._codes.get(text)

    def _searched(self, text: bytes) -> int | None:
        """As `code_of`, without a table of all texts."""
        candidates = np.flatnonzero(np.diff(self.offsets) == len(text))
        data = np.frombuffer(self.data, dtype=np.uint8)
        for place, byte in enumerate(text):
            candidates = candidates[data[self.offsets[candidates] + place] == byte]
        return int(candidates[0]) if len(candidates) else None
