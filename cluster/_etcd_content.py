"""What members hold, as hashes that can be compared: at a revision that all of them have.

A hash of all that was ever written up to a revision costs a member time in proportion to it,
so it is asked for only when a member is quiet: its revision is that of the look before, as it
is once faults are healed and the load is over.  The revision is the least that any member told
last: all have reached it, also those which, having lost an entry, stay behind for ever.

The hash is that by which members look after each other (``/members/hashkv`` of the peers'
port); the gateway of etcd 3.5.1 does not offer it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from cluster._http import Connection
from histories import Json

_HASH_TIMEOUT_S: Final = 0.5
"""Below what an observer waits for an answer: one without a hash is better than none."""


class EtcdContents:
    """Hashes of the content of members, each asked for once.

    Invariant: `_hashed` holds of a member at most one hash, of the revision beside it (nothing,
    if that took too long), and none once the member has failed to answer.
    """

    def __init__(self) -> None:
        self._revisions: dict[str, int] = {}
        self._hashed: dict[str, tuple[int, dict[str, Json]]] = {}

    def forget(self, node: str) -> None:
        """The member did not answer: who knows what it comes back with."""
        self._hashed.pop(node, None)

    async def of(
        self, node: str, members: tuple[str, ...], revision: int, peer: Callable[[], Connection]
    ) -> dict[str, Json]:
        """Hash, its revision, and up to where that was compacted; nothing for a busy member.

        `revision` is what the member says now, `members` whose hashes shall be comparable.
        """
        before = self._revisions.get(node)
        self._revisions[node] = revision
        if before != revision:
            return {}
        common = min(self._revisions[name] for name in (node, *members) if name in self._revisions)
        hashed, fields = self._hashed.get(node, (0, {}))
        if hashed != common:
            connection = peer()
            try:
                fields = await _hash(connection, common)
            except TimeoutError:
                fields = {}  # there is too much of it to ask again and again
            except OSError:
                return {}
            finally:
                await connection.close()
            self._hashed[node] = (common, fields)
        return fields


async def _hash(connection: Connection, revision: int) -> dict[str, Json]:
    question = json.dumps({"revision": revision}).encode("ascii")
    answer = await connection.get("/members/hashkv", timeout_s=_HASH_TIMEOUT_S, body=question)
    try:
        told = json.loads(answer.body) if answer.status == 200 else {}
        return {
            "hash": int(told["hash"]),
            "hash_revision": revision,
            "hash_compacted": max(0, int(told.get("compact_revision", 0))),
        }
    except (ValueError, TypeError, KeyError):  # compacted meanwhile, or an older etcd
        return {}
