"""The named bugs of raftkv, and which real systems had one like it."""

from __future__ import annotations

from typing import Final

from simulation.scenario import Bug

_ALL: Final = (
    Bug("vote-not-persisted", "A vote is only remembered in memory, so a node votes twice."),
    Bug("ack-before-sync", "Promises leave before what they promise is on disk."),
    Bug("ack-before-majority", "A write is acknowledged when the leader alone has it."),
    Bug(
        "read-index-without-confirming", "Leaders read without asking whether they still lead.", ""
    ),
    Bug("no-dedup-on-retry", "A retry is done again."),
)

BUGS: Final = {bug.name: bug for bug in _ALL}
