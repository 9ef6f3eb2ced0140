"""Moving a shard from its group to a new one on other nodes.

    source   ACTIVE -> READ_ONLY ---------------> MIGRATING_OUT -> gone
    target             MIGRATING_IN (data comes)                -> ACTIVE

Every arrow is a command in the log of its group, and may come twice.  Whoever leads ``meta`` takes
the steps; where the move stands is in the groups themselves, so a new leader begins anew and
finds most of it done.  While the source is READ_ONLY its data stays the same, so it does not matter
who fetches it how often; and there is no moment in which both groups accept writes, or one of
them writes while the other still answers reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, Final, Protocol

from simulation.raftkv._map import Place, group_name
from simulation.raftkv._messages import OK, Govern, Message, Reply
from simulation.raftkv._shard import ACTIVE, INSTALLED, MIGRATING_OUT, READ_ONLY
from simulation.world import World

POLL_S: Final = 0.02
TRY_S: Final = 0.2


class Given(Exception):
    """Somebody else leads ``meta`` now, and goes on."""


class Home(Protocol):
    """The node that takes the steps."""

    world: World
    bug: str | None

    def send(self, to: str, message: Message) -> None: ...


class Mover:
    """Moves one shard after the other, as long as `leads` says so."""

    def __init__(
        self,
        home: Home,
        leads: Callable[[], bool],
        places: Callable[[], Mapping[str, Place]],
        finish: Callable[[str, int], object],
    ) -> None:
        self._home = home
        self._leads = leads
        self._places = places
        self._finish = finish
        self._ids = count(1)
        self._asked = 0
        self._reply: Reply | None = None
        self._busy = False

    def look(self) -> None:
        """Begin with what has to be moved, unless something is being moved."""
        places = self._places()
        moving = [shard for shard in sorted(places) if places[shard].moving]
        if moving and not self._busy and self._leads():
            self._busy = True
            self._home.world.spawn(self._work(moving[0], places[moving[0]]), "migration")

    def replied(self, reply: Reply) -> None:
        """An answer to one of our questions."""
        if reply.id == self._asked:
            self._reply = reply

    async def _work(self, shard: str, place: Place) -> None:
        with suppress(Given):
            await self._move(shard, place)
        self._busy = False
        self.look()

    async def _move(self, shard: str, place: Place) -> None:
        world, bug = self._home.world, self._home.bug
        source, target = (group_name(shard, place.generation + more) for more in (0, 1))
        old, new = place.nodes, place.moving
        pieces: list[Any] = []
        if bug == "migration-drops-late-writes":
            pieces = await self._fetch(source, old)
        await self._ask(source, old, "freeze", None, (READ_ONLY, MIGRATING_OUT))
        world.reach("mid migration: source frozen")
        for piece in pieces or await self._fetch(source, old):
            await self._ask(target, new, "install", piece, None)
        world.reach("mid migration: target installed")
        if bug != "source-reads-after-move":
            await self._ask(source, old, "close", None, (MIGRATING_OUT,))
            world.reach("mid migration: source closed")
        await self._ask(target, new, "activate", None, (ACTIVE,))
        world.reach("mid migration: target active")
        while self._leads() and self._places()[shard] == place:
            self._finish(shard, place.generation)
            await world.clock.sleep(TRY_S)

    async def _fetch(self, source: str, nodes: tuple[str, ...]) -> list[Any]:
        pieces: list[Any] = [await self._ask(source, nodes, "fetch", 0, None)]
        for number in range(1, pieces[0][1]):
            pieces.append(await self._ask(source, nodes, "fetch", number, None))
        return pieces

    async def _ask(
        self,
        group: str,
        nodes: tuple[str, ...],
        f: str,
        value: Any,
        wanted: tuple[str, ...] | None,
    ) -> Any:
        """What the group answers in the end; raises `Given` when that is not ours any more."""
        home = self._home
        place = 0
        asked: tuple[str, ...] = nodes
        while True:
            if not self._leads():
                raise Given
            self._asked = next(self._ids)
            self._reply = None
            home.send(asked[place % len(asked)], Govern(self._asked, group, f, value))
            waited_s = 0.0
            while self._reply is None and waited_s < TRY_S:
                await home.world.clock.sleep(POLL_S)
                waited_s += POLL_S
            reply: Reply | None = self._reply
            if reply is not None and reply.status == OK:
                done = wanted is None or reply.value in wanted
                if done or (f == "install" and reply.value in (INSTALLED, ACTIVE)):
                    return reply.value
            if reply is not None and reply.hint:
                asked, place = (*reply.hint, *nodes), 0
            else:
                place += 1
