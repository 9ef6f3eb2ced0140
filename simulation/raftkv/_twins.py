"""What raftkv's own faults of the simulation are with real processes: orders over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from histories import Json
from simulation.raftkv import _draws
from simulation.raftkv._options import options_of
from simulation.raftkv._shard import ACTIVE
from simulation.real._twins import Twin

if TYPE_CHECKING:
    from nemesis import Fault, Target
    from simulation.real import Processes

Told: TypeAlias = Mapping[str, Json]
FEW: Final = 3
"""So many nodes a shard moves to, or a group has after a change."""


def _led(states: Told) -> dict[str, Json]:
    """For each shard what the primary of its newest group tells of it, if there is one."""
    found: dict[str, Any] = {}
    for state in states.values():
        shards: Mapping[str, Any] = state.get("shards") or {} if isinstance(state, dict) else {}
        for shard, row in shards.items():
            known = found.get(shard)
            if row["role"] == "primary" and (known is None or row["term"] > known["term"]):
                found[shard] = {
                    key: row[key]
                    for key in ("group", "primary", "term", "state", "voters", "incoming")
                }
    return dict(found)


def _row(order: Told, told: Told) -> Mapping[str, Any]:
    row = told.get(str(order.get("shard")))
    return row if isinstance(row, dict) else {}


def _moved(order: Told, before: Told, now: Told) -> bool:
    """Another group has the shard, on the nodes that were ordered, and is active."""
    was, row = _row(order, before), _row(order, now)
    there = row.get("state") == ACTIVE and {*row["voters"]} == {*_nodes(order)}
    return there and row.get("group") != was.get("group")


def _changed(order: Told, before: Told, now: Told) -> bool:  # noqa: ARG001
    """The group has the members that were ordered, and no others to come."""
    row = _row(order, now)
    return bool(row) and {*row["voters"]} == {*_nodes(order)} and not row["incoming"]


def _transferred(order: Told, before: Told, now: Told) -> bool:  # noqa: ARG001
    """Who was named is primary."""
    return _row(order, now).get("primary") == order.get("to")


def _nodes(order: Told) -> Sequence[str]:
    nodes = order.get("nodes")
    return [str(node) for node in nodes] if isinstance(nodes, list) else []


def _move(system: Processes, among: Target | Sequence[Target]) -> Fault:  # noqa: ARG001
    from simulation.real import Ordering

    return Ordering(system, "move", _draws.move(_shards(system), FEW), _led, _moved)


def _change(system: Processes, among: Target | Sequence[Target]) -> Fault:  # noqa: ARG001
    from simulation.real import Ordering

    return Ordering(system, "change", _draws.change(_shards(system), (FEW,)), _led, _changed)


def _transfer(system: Processes, among: Target | Sequence[Target]) -> Fault:  # noqa: ARG001
    from simulation.real import Ordering

    return Ordering(system, "transfer", _draws.transfer(_shards(system)), _led, _transferred)


def _shards(system: Processes) -> int:
    return options_of(system.options).shards


TWINS: Final[Mapping[str, Twin]] = {
    "move": Twin("move", make=_move),
    "change": Twin("change", make=_change),
    "transfer": Twin("transfer", make=_transfer),
}
"""By the name of the simulated fault."""
