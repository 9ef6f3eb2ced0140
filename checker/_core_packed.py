"""A core as bytes, for the pipe from a process of its own."""

from __future__ import annotations

import msgspec
import numpy as np

from checker._core import Core


class _Packed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    invoked: bytes
    returned: bytes
    begin: bytes
    end: bytes
    begin_widened: bytes
    end_widened: bytes
    known_initial: bool


_decoder = msgspec.msgpack.Decoder(_Packed)


def packed_core(core: Core) -> bytes:
    """As bytes, for `unpacked_core`."""
    return msgspec.msgpack.encode(
        _Packed(
            core.invoked.astype("<i8").tobytes(),
            core.returned.astype("<i8").tobytes(),
            core.begin.astype("<i8").tobytes(),
            core.end.astype("<i8").tobytes(),
            core.begin_widened.tobytes(),
            core.end_widened.tobytes(),
            core.known_initial,
        )
    )


def unpacked_core(data: bytes) -> Core:
    """What was packed.  Raises `ValueError` where it is anything else."""
    read = _decoder.decode(data)
    places = (read.invoked, read.returned, read.begin, read.end)
    invoked, returned, begin, end = (
        np.frombuffer(place, dtype="<i8").astype(np.int64) for place in places
    )
    flags = (read.begin_widened, read.end_widened)
    begin_widened, end_widened = (np.frombuffer(flag, dtype=np.bool_) for flag in flags)
    return Core(invoked, returned, begin, end, begin_widened, end_widened, read.known_initial)
