"""What a group was before its node went down: from its snapshot and the log on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulation.raftkv._image import Image
from simulation.raftkv._log import Log
from simulation.raftkv._records import Based, Born, Entries, Gone, Hard, Record


@dataclass(frozen=True)
class Past:
    """What is known of a group's past."""

    hard: Hard
    log: Log
    image: Image | None


def recovered(
    group: str,
    records: Sequence[Record],
    image: Image | None,
    first_term: int,
    replayed: Callable[[str], object],
    bug: str | None = None,
) -> Past:
    """Replay the records of this group, and of no other.

    `replayed` is told the group of the records that were applied.  Raises RuntimeError where
    something is missing in the middle.
    """
    hard = Hard(group, first_term)
    log = Log()
    told: dict[str, None] = {}
    for record in records:
        if isinstance(record, Born | Gone):
            continue
        if record.group != group and bug != "foreign-shard-replayed":
            continue
        if record.group not in told:
            told[record.group] = None
            replayed(record.group)
        if isinstance(record, Hard):
            hard = record
        elif isinstance(record, Based):
            if record.index > log.base:
                log.rebase(record.index, record.term)
        else:
            _extend(log, record, bug)
    if image is not None and image.index > log.base:
        log.rebase(image.index, image.term)
    if log.base and (image is None or image.index < log.base) and bug is None:
        raise RuntimeError(f"the snapshot of {group} up to {log.base} is missing")
    return Past(hard, log, image)


def _extend(log: Log, record: Entries, bug: str | None) -> None:
    first, entries = record.first, record.entries
    if first > log.last + 1:
        if bug is not None:
            return
        raise RuntimeError(f"entries {log.last + 1} to {first - 1} of {record.group} are missing")
    if first <= log.base:
        entries = entries[log.base + 1 - first :]
        first = log.base + 1
    log.cut(first)
    log.entries += entries
