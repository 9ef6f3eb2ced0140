"""Histories in Parquet that verify themselves.

The file is ordinary Parquet (see `_arrow` for its columns; any tool reads it), with page
checksums, and with two entries of file metadata: `momus.meta`, the history's meta data as
JSON, and `momus.digest`, the SHA-256 of the whole file with the digest's own 64 places
zeroed.  `read` compares the digest before it decodes anything, so a changed byte anywhere,
be it in the footer or in the digest, is corruption and never an event.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from histories._arrow import META_KEY, columns_of, table_of, with_codes
from histories._files import RESTORE, write_atomically
from histories._flaws import CorruptHistory, HistoryError
from histories._json import decode

if TYPE_CHECKING:
    from histories._history import History

_DIGEST_KEY: Final = b"momus.digest"
_TORN_KEY: Final = b"momus.torn"
_MAGIC: Final = b"PAR1"
_BLANK: Final = b"0" * 64
_DIGEST: Final = re.compile(rb"momus\.digest\x18\x47sha256:([0-9a-f]{64})")
"""The entry as Thrift writes it: the key, a field mark, the length 71, the value.

Control characters are escaped in JSON, so no meta data can contain this.
"""
_ROW_GROUP_EVENTS: Final = 1 << 20
_NUMBERS: Final = ("time", "process", "pair", "key_code", "value_code", "error_code")


def write(history: History, path: str | os.PathLike[str]) -> None:
    """Write the file atomically; the events of a slice are numbered anew."""
    # The index is the row, so it is not stored.
    table = table_of(history).drop_columns(["index"])
    entries = {META_KEY: table.schema.metadata[META_KEY], _DIGEST_KEY: b"sha256:" + _BLANK}
    if history.torn:
        entries[_TORN_KEY] = b"true"
    table = with_codes(table.replace_schema_metadata(None))
    numbers = [name for name in table.column_names if name in _NUMBERS]
    plain = {*numbers, *(name for name in table.column_names if name.endswith("_first"))}

    def make(temporary: str) -> None:
        with pq.ParquetWriter(
            temporary,
            table.schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=[name for name in table.column_names if name not in plain],
            column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
            write_statistics=["time"],
            write_page_checksum=True,
            dictionary_pagesize_limit=64 << 20,
        ) as writer:
            writer.write_table(table, row_group_size=_ROW_GROUP_EVENTS)
            writer.add_key_value_metadata(entries)
        _seal(temporary)

    write_atomically(path, make)


def read(source: str | bytes, shown: str) -> History:
    """Verify and decode a file or its bytes; `shown` names it in errors."""
    from histories._history import History

    buffer = (
        pa.py_buffer(source) if isinstance(source, bytes) else pa.memory_map(source).read_buffer()
    )
    _verify(buffer, shown)
    try:
        metadata = pq.read_metadata(buffer)
        entries = metadata.metadata

        def column(name: str) -> Iterator[pa.Array]:
            # A file of its own for each thread; the bytes and the metadata are shared.
            with pq.ParquetFile(buffer, metadata=metadata, page_checksum_verification=True) as file:
                for group in range(metadata.num_row_groups):
                    table = file.read_row_group(group, [name], use_threads=False)
                    yield from table.column(0).chunks

        names = metadata.schema.to_arrow_schema().names
        columns = columns_of(metadata.num_rows, names, column)
    except (pa.ArrowException, KeyError, OSError) as error:
        raise HistoryError(
            f"not the Parquet form of a history ({error}); write it with `write_parquet`",
            path=shown,
        ) from error
    return History(
        meta=decode(entries[META_KEY]), source=shown, torn=_TORN_KEY in entries, **columns
    )


def _seal(path: str) -> None:
    with open(path, "r+b") as stream:
        content = stream.read()
        place = _place(content, path)
        digest = hashlib.sha256(content).hexdigest().encode()
        stream.seek(place)
        stream.write(digest)


def _verify(buffer: pa.Buffer, shown: str) -> None:
    place = _place(buffer, shown)
    digest = hashlib.sha256(buffer[:place])
    digest.update(_BLANK)
    digest.update(buffer[place + len(_BLANK) :])
    if digest.hexdigest().encode() != buffer[place : place + len(_BLANK)].to_pybytes():
        raise CorruptHistory("its digest does not match; " + RESTORE, path=shown)


def _place(content: pa.Buffer | bytes, shown: str) -> int:
    """Where the digest lies; the footer, which holds it, is at the end of the file."""
    view = memoryview(content)
    if len(view) < 12 or bytes(view[:4]) != _MAGIC or bytes(view[-4:]) != _MAGIC:
        raise CorruptHistory("it is not a whole Parquet file; " + RESTORE, path=shown)
    footer = int.from_bytes(view[-8:-4], "little") + 8
    start = max(0, len(view) - footer)
    found = [match.start(1) for match in _DIGEST.finditer(view[start:])]
    if len(found) != 1:
        raise CorruptHistory(
            "it has no digest: it was damaged, or not written by `write_parquet`", path=shown
        )
    return start + found[0]
