"""A client: it asks until it knows, and says what it knows.

A request keeps its number in every try, so a retry is not done twice.  ``fail`` is answered
only if every try was refused; if one of them may have been done, it ends in ``info``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from typing import Protocol

import msgspec

from histories import Op
from simulation.raftkv._messages import IN_DOUBT, OK, Reply, Request, decode, encode


class Wire(Protocol):
    """Messages to and from nodes, under a name of its own."""

    @property
    def name(self) -> str: ...
    def listen(self, receive: Callable[[str, bytes], object]) -> None: ...
    def send(self, to: str, message: bytes) -> None: ...
    def close(self) -> None: ...


class Client:
    """Reads, writes and compare-and-sets of keys.

    `connect` makes a wire of a name; an unopened client has none.  A try is given up after
    `try_s`, an operation after `patience_s`.  With `reads_here` each read begins at the node that
    the client was opened for, whoever leads.
    """

    definite: tuple[type[BaseException], ...] = ()

    def __init__(
        self,
        nodes: Sequence[str],
        connect: Callable[[str], Wire],
        *,
        patience_s: float = 0.9,
        try_s: float = 0.25,
        wire: Wire | None = None,
        node: str = "",
        numbers: count[int] | None = None,
        reads_here: bool = False,
    ) -> None:
        self._nodes = tuple(nodes)
        self._connect = connect
        self._patience_s = patience_s
        self._try_s = try_s
        self._wire = wire
        self._node = node
        self._target = node
        self._reads_here = reads_here
        self._numbers = count(1) if numbers is None else numbers
        self._seq = 0
        self._tries = 0
        self._answer: asyncio.Future[Reply | None] | None = None

    async def open(self, node: str) -> Client:
        """A client that asks this node first."""
        wire = self._connect(f"client-{next(self._numbers)}")
        opened = Client(
            self._nodes,
            self._connect,
            patience_s=self._patience_s,
            try_s=self._try_s,
            wire=wire,
            node=node,
            numbers=self._numbers,
            reads_here=self._reads_here,
        )
        wire.listen(opened._receive)
        return opened

    async def setup(self) -> None:
        """Nothing has to be there."""

    async def teardown(self) -> None:
        """Nothing is left."""

    async def close(self) -> None:
        """Give the name back."""
        if self._wire is not None:
            self._wire.close()

    async def invoke(self, op: Op) -> Op:
        """Carry out ``read``, ``write`` or ``cas``."""
        if not self._reads_here or op.f != "read":
            return await self._asked(op)
        leads, self._target = self._target, self._node
        try:
            return await self._asked(op)
        finally:
            self._target = leads

    async def _asked(self, op: Op) -> Op:
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._patience_s
        self._seq += 1
        doubt = False
        tries = 0
        while True:
            reply = await self._try(op, min(self._try_s, give_up_at - loop.time()))
            if reply is None or reply.status == IN_DOUBT:
                doubt = True
                self._turn(())
            elif reply.status == OK:
                return op.ok(_told(op, reply))
            else:
                self._turn(reply.hint)
            if loop.time() >= give_up_at:
                break
            tries += 1
            if reply is not None and (not reply.hint or tries > 2):
                await asyncio.sleep(0.02)
        if op.f == "read":
            return op.fail("no-answer")
        return op.info("in doubt") if doubt else op.fail("refused by all who were asked")

    async def _try(self, op: Op, wait_s: float) -> Reply | None:
        wire = self._wire
        assert wire is not None, "this client is not open"
        loop = asyncio.get_running_loop()
        self._tries += 1
        answer: asyncio.Future[Reply | None] = loop.create_future()
        self._answer = answer
        request = Request(self._tries, wire.name, self._seq, op.f, op.key, op.value)
        wire.send(self._target, encode(request))
        timer = loop.call_later(max(0.001, wait_s), _give_up, answer)
        try:
            return await answer
        finally:
            timer.cancel()

    def _receive(self, sender: str, data: bytes) -> None:  # noqa: ARG002
        try:
            message = decode(data)
        except msgspec.MsgspecError:
            return
        answer = self._answer
        if answer is None or answer.done():
            return
        if isinstance(message, Reply) and message.id == self._tries:
            answer.set_result(message)

    def _turn(self, hint: Sequence[str]) -> None:
        """Ask somebody else next."""
        others = [name for name in hint if name != self._target]
        if others:
            self._target = others[0]
        elif self._target in self._nodes:
            place = self._nodes.index(self._target) + 1
            self._target = self._nodes[place % len(self._nodes)]


def _give_up(answer: asyncio.Future[Reply | None]) -> None:
    if not answer.done():
        answer.set_result(None)


def _told(op: Op, reply: Reply) -> object:
    if op.f == "read":
        return reply.value
    return op.value if reply.value is not False else False
