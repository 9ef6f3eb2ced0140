"""The nemesis of a simulated cluster: the same that breaks a lab, with faults for machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from cluster import Host, Journal
from nemesis import Fault, Nemesis
from simulation._cluster import SimulatedCluster


class _NoJournal:
    """Nothing outlives a simulated run, so nothing has to be healed by another one."""

    path = Path("nothing")


def simulated_nemesis(faults: Sequence[Fault], cluster: SimulatedCluster) -> Any:
    """A nemesis for these faults, or None without any."""
    if not faults:
        return None
    hosts = cast(Sequence[Host], list(cluster.machines.values()))
    return Nemesis(faults, hosts, cast(Journal, _NoJournal()))
