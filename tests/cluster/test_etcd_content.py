"""When members are asked for a hash of their content, and at which revision."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from cluster._etcd_content import EtcdContents
from cluster._http import Response

MEMBERS = ("n1", "n2", "n3")


class Peers:
    """All members: answers by a hash that is ten times the revision, and notes what was asked."""

    def __init__(self) -> None:
        self.contents = EtcdContents()
        self.asked: list[int] = []
        self.trouble: Exception | None = None

    async def get(self, path: str, *, timeout_s: float, body: bytes) -> Response:  # noqa: ARG002
        assert path == "/members/hashkv"
        revision = json.loads(body)["revision"]
        self.asked.append(revision)
        if self.trouble is not None:
            raise self.trouble
        return Response(200, json.dumps({"hash": 10 * revision, "compact_revision": -1}).encode())

    async def close(self) -> None: ...

    def look(self, node: str, revision: int) -> Any:
        """What an observer is told of the content of a node that is at this revision."""
        peer: Any = lambda: self  # noqa: E731
        told = asyncio.run(self.contents.of(node, MEMBERS, revision, peer))
        return told.get("hash_revision"), told.get("hash")


def test_a_busy_member_is_not_asked() -> None:
    peers = Peers()
    assert [peers.look("n1", revision) for revision in (1, 2, 3)] == [(None, None)] * 3
    assert peers.asked == []


def test_quiet_members_are_asked_once_at_the_least_revision_that_any_has() -> None:
    peers = Peers()
    for node, revision in (("n1", 9), ("n2", 9), ("n3", 7)):
        assert peers.look(node, revision) == (None, None)
    for _ in range(3):
        for node, revision in (("n1", 9), ("n2", 9), ("n3", 7)):
            assert peers.look(node, revision) == (7, 70)
    assert peers.asked == [7, 7, 7]
    peers.look("n3", 9)
    assert peers.look("n3", 9) == (9, 90)
    assert peers.look("n1", 9) == (9, 90)


def test_a_member_that_did_not_answer_is_asked_again() -> None:
    peers = Peers()
    for _ in range(3):
        peers.look("n1", 5)
    peers.contents.forget("n1")
    peers.look("n1", 5)
    assert peers.asked == [5, 5]


def test_a_hash_that_takes_too_long_is_not_asked_for_again_and_a_lost_one_is() -> None:
    peers = Peers()
    peers.look("n1", 5)
    peers.trouble = ConnectionResetError("lost")
    assert peers.look("n1", 5) == (None, None)
    peers.trouble = TimeoutError()
    for _ in range(3):
        assert peers.look("n1", 5) == (None, None)
    assert peers.asked == [5, 5]
