"""The suites of raftkv, as stories: leaders, networks, moves, devices, reads of followers."""

from __future__ import annotations

from typing import Final

from simulation.raftkv._suites._acts import ACTS
from simulation.raftkv._suites._devices import DEVICES
from simulation.raftkv._suites._leaders import LEADERS
from simulation.raftkv._suites._moves import MOVES
from simulation.raftkv._suites._partitions import PARTITIONS
from simulation.raftkv._suites._reads import READS
from simulation.scenario import Scenario

SUITES: Final[dict[str, Scenario]] = {
    scenario.name: scenario for scenario in (*LEADERS, *ACTS, *PARTITIONS, *MOVES, *DEVICES, *READS)
}

__all__ = ["SUITES"]
