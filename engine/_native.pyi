"""The native half of momus; see `engine/src`."""

from os import PathLike
from typing import Any

# --- reading: files into columns -----------------------------------------------------------

class ReadingError(ValueError):
    """A flawed file: args are (line, what is wrong, whether it is corruption)."""

    args: tuple[int, str, bool]

def read_jsonl(source: str | PathLike[str] | bytes, *, dense: bool = True) -> dict[str, Any]: ...
def read_edn(source: str | PathLike[str] | bytes) -> dict[str, Any]: ...
def read_log(source: str | PathLike[str] | bytes) -> dict[str, Any]: ...
def canonical_json(raw: bytes) -> bytes: ...
