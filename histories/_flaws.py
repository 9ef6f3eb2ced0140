"""What can be wrong with a history, or with how it is recorded.

Every message says where (`FILE:LINE`), what, and what to try.
"""

from __future__ import annotations


class HistoryError(Exception):
    """The input is not a history; nothing of it may be judged."""

    def __init__(self, what: str, *, path: str | None = None, line: int | None = None) -> None:
        self.what = what
        self.path = path
        self.line = line
        where = ":".join(str(part) for part in (path, line) if part is not None)
        super().__init__(f"{where}: {what}" if where else what)


class CorruptHistory(HistoryError):
    """The bytes are not those that were written: a checksum does not match."""


class RecorderMisuse(Exception):
    """An event that would make the history meaningless; it was not recorded."""


class RecorderFailed(Exception):
    """The history cannot be written (a full or failing disk); what is `durable` is safe."""
