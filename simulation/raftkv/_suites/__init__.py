"""The suites of raftkv: Raft fault tolerance, told as stories, and who judges them."""

from __future__ import annotations

from typing import Final

from simulation.raftkv._suites._devices import DEVICES
from simulation.raftkv._suites._leaders import LEADERS
from simulation.raftkv._suites._partitions import PARTITIONS
from simulation.scenario import Scenario

SUITES: Final[dict[str, Scenario]] = {
    scenario.name: scenario for scenario in (*LEADERS, *PARTITIONS, *DEVICES)
}

__all__ = ["SUITES"]
