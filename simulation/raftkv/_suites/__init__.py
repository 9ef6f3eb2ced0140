"""The suites of raftkv: failing leaders, cut networks, moving shards, bad devices, as stories."""

from __future__ import annotations

from typing import Final

from simulation.raftkv._suites._devices import DEVICES
from simulation.raftkv._suites._leaders import LEADERS
from simulation.raftkv._suites._moves import MOVES
from simulation.raftkv._suites._partitions import PARTITIONS
from simulation.scenario import Scenario

SUITES: Final[dict[str, Scenario]] = {
    scenario.name: scenario for scenario in (*LEADERS, *PARTITIONS, *MOVES, *DEVICES)
}

__all__ = ["SUITES"]
