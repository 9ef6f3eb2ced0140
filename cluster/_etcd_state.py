"""What an etcd member tells of its own state, over one connection."""

from __future__ import annotations

import json
import re
from typing import Final

from cluster._etcd_client import Gateway
from cluster._http import Connection
from histories import Json

_ASK_TIMEOUT_S: Final = 2.0


async def leader_of(connection: Connection) -> str:
    """The leader that a healthy member knows of; `OSError` or `EtcdApiError` says what is amiss."""
    health = await connection.get("/health", timeout_s=_ASK_TIMEOUT_S)
    try:
        healthy = json.loads(health.body).get("health") == "true"
    except (ValueError, AttributeError):
        healthy = False
    if not healthy:
        raise OSError(f"unhealthy: {health.body[:200]!r}")
    status = await Gateway(connection).call("maintenance/status", {}, _ASK_TIMEOUT_S)
    leader = str(status.get("leader", "0"))
    if leader == "0":
        raise OSError("it knows of no leader")
    return leader


async def state_of(connection: Connection, *, snapshots: bool) -> dict[str, Json]:
    """Role, term and Raft positions, and what is said of `snapshots`; raises as `leader_of`."""
    status = await Gateway(connection).call("maintenance/status", {}, _ASK_TIMEOUT_S)
    told = await _metrics(connection) if snapshots else {}
    role, term = await _raft(connection)
    return {
        "role": role,
        "leader": status.get("leader", "0"),
        "member": status["header"]["member_id"],
        "term": term,
        "index": int(status.get("raftIndex", "0")),
        "applied": int(status.get("raftAppliedIndex", "0")),
        "revision": int(status["header"].get("revision", "0")),
        "version": status.get("version"),
        **told,
    }


async def _raft(connection: Connection) -> tuple[str, int]:
    """Role and term of one moment, as the Raft state machine tells them.

    The term of the status is that of the last entry applied, so a new leader would tell the
    term of the one before.
    """
    answer = await connection.get("/debug/vars", timeout_s=_ASK_TIMEOUT_S)
    try:
        told = json.loads(answer.body)["raft.status"]
        role = {"StateLeader": "leader", "StateFollower": "follower"}.get(told["raftState"])
        knows = int(told["lead"], 16) != 0
        return role if role and knows else "none", int(told["term"])
    except (ValueError, KeyError, TypeError) as error:
        raise OSError(f"it tells nothing of Raft: {answer.body[:200]!r}") from error


async def _metrics(connection: Connection) -> dict[str, Json]:
    answer = await connection.get("/metrics", timeout_s=_ASK_TIMEOUT_S)
    return _snapshots(answer.body) if answer.status == 200 else {}


def _snapshots(metrics: bytes) -> dict[str, Json]:
    """What the metrics of a member say of snapshots that it sends and takes in.

    These have a label for the other member, so they appear with the first snapshot.
    """
    return {
        "sending_snapshot": _sum(metrics, b"etcd_network_snapshot_send_inflights_total") > 0,
        "snapshots_sent": round(_sum(metrics, b"etcd_network_snapshot_send_success")),
        "snapshots_received": round(_sum(metrics, b"etcd_network_snapshot_receive_success")),
    }


def _sum(metrics: bytes, name: bytes) -> float:
    """The sum of a metric over its labels, in Prometheus' text format."""
    found = re.findall(rb"^" + re.escape(name) + rb"(?:\{[^\n]*\})? (\S+)$", metrics, re.MULTILINE)
    return sum(float(value) for value in found)
