"""Orders to a cluster: move a shard, change the members of its group, let another one lead.

They are messages with a path, like questions to the admin surface, but change something; a node
that does not lead what the order is about says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from histories import Json
from simulation.raftkv._map import META, ShardMap

if TYPE_CHECKING:
    from simulation.raftkv._group import Group
    from simulation.raftkv._node import Node

NOT_HERE = {"error": "not the leader"}


def obey(node: Node, path: str, order: dict[str, Any]) -> dict[str, Json]:
    """Carry an order out, or begin to.  Raises LookupError for one that there is not."""
    if path not in ("/admin/move", "/admin/change", "/admin/transfer"):
        raise LookupError(f"there is no order {path}")
    named = [order.get("to")] if path == "/admin/transfer" else order.get("nodes")
    if not isinstance(named, list) or not named or not all(n in node.world.nodes for n in named):
        return {"error": f"nodes are {', '.join(node.world.nodes)}, not {named!r}"}
    shard = order.get("shard")
    if path == "/admin/move":
        return _move(node, str(shard), named)
    group = _leading(node, str(shard))
    if group is None or group.raft.leading is None:
        return dict(NOT_HERE)
    now = node.world.clock.monotonic()
    if path == "/admin/transfer":
        group.raft.leading.hand_over(now, str(order["to"]))
        group.flush()
        return {"ok": True}
    why_not = group.raft.leading.change(now, tuple(named))
    group.flush()
    return {"ok": True} if why_not is None else {"error": why_not}


def _move(node: Node, shard: str, nodes: list[str]) -> dict[str, Json]:
    meta = node.groups.get(META)
    if meta is None or meta.raft.leading is None:
        return dict(NOT_HERE)
    assert isinstance(meta.shard, ShardMap)
    place = meta.shard.places.get(shard)
    if place is None or place.moving:
        return {"error": "it cannot move now"}
    node.govern_map("begin", [shard, place.generation, sorted(nodes)])
    return {"ok": True}


def _leading(node: Node, shard: str) -> Group | None:
    for group in node.groups.values():
        if group.shard_name == shard and group.raft.leading is not None:
            return group
    return None
