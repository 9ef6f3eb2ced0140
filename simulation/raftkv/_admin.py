"""The admin surface: what a node says of itself, by path, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from histories import Json

if TYPE_CHECKING:
    from simulation.raftkv._group import Group
    from simulation.raftkv._node import Node


def answer(node: Node, path: str) -> dict[str, Any]:
    """The answer to ``GET path``; raises LookupError for what is not known."""
    groups = [node.groups[name] for name in sorted(node.groups)]
    if path == "/admin/members":
        return {
            "node": node.world.name,
            "nodes": list(node.world.nodes),
            "shards": {group.shard_name: list(group.raft.config.members) for group in groups},
        }
    if path == "/admin/shards":
        return {"node": node.world.name, "shards": {g.shard_name: _shard(g) for g in groups}}
    if path == "/admin/health":
        without = [group.shard_name for group in groups if group.primary is None]
        return {"node": node.world.name, "healthy": not without, "without_primary": without}
    if path == "/admin/state":
        return {"node": node.world.name, "shards": {g.shard_name: _state(g) for g in groups}}
    raise LookupError(f"nothing is known of {path}")


def _shard(group: Group) -> dict[str, Json]:
    primary = group.primary
    members = group.raft.config.members
    return {
        "group": group.name,
        "primary": primary,
        "followers": [name for name in members if name != primary],
        "term": group.raft.term,
        "state": group.shard.state,
        "role": group.raft.role,
    }


def _state(group: Group) -> dict[str, Json]:
    raft = group.raft
    return {
        **_shard(group),
        "commit": raft.commit,
        "applied": group.applied,
        "last": raft.log.last,
        "snapshot": raft.log.base,
        "voters": list(raft.config.voters),
        "incoming": list(raft.config.incoming),
    }
