"""Debts: what a fault owes the hosts it has struck.

A debt is written into the journal before the host is touched and struck out when it has
been paid.  Paying means running the very undo commands that stand in the journal, so that
the way out which `momus heal` takes after a crash is the one that every ordinary run
takes, too, and is known to work.

Invariant: a debt is in here from before its host is touched until its undo has succeeded;
a host that cannot be reached leaves its debts open, here and in the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from cluster import Host, HostError, Journal
from histories import Json

UNDO_TIMEOUT_S: Final = 20.0

T = TypeVar("T")


@dataclass(frozen=True)
class _Debt:
    entry: str
    host: Host
    undo: tuple[tuple[str, ...], ...]
    sudo: bool


class Debts:
    """The open undo entries of one fault."""

    def __init__(self, journal: Journal, kind: str) -> None:
        self._journal = journal
        self._kind = kind
        self._open: list[_Debt] = []

    async def owe(
        self,
        host: Host,
        undo: Sequence[Sequence[str]],
        note: dict[str, Json],
        *,
        sudo: bool = False,
    ) -> None:
        """Journal how to undo what is about to be done to `host`; on disk when this returns."""

        def write() -> None:
            entry = self._journal.open(self._kind, host, undo, note, sudo=sudo)
            # Even if we are cancelled meanwhile: the debt is known, and harmless to pay.
            self._open.append(_Debt(entry, host, tuple(map(tuple, undo)), sudo))

        await to_its_end(asyncio.to_thread(write))

    def debtors(self) -> list[Host]:
        """The hosts something is owed to, each once."""
        return list({debt.host.name: debt.host for debt in self._open}.values())

    async def pay(self, first: Callable[[Host], Awaitable[object]] | None = None) -> dict[str, str]:
        """Undo everything, all hosts at once, newest first; what failed, by host.

        `first` mends a host in a way that commands cannot, before its commands are run.
        """
        return await on_each(self.debtors(), lambda host: self.pay_host(host, first))

    async def pay_host(
        self, host: Host, first: Callable[[Host], Awaitable[object]] | None = None
    ) -> None:
        """Undo everything on one host; what is owed stays owed if a command fails."""
        if first is not None:
            await first(host)
        for debt in [debt for debt in reversed(self._open) if debt.host.name == host.name]:
            for argv in debt.undo:
                await host.run(argv, sudo=debt.sudo, timeout_s=UNDO_TIMEOUT_S)
            await asyncio.to_thread(self._journal.close, debt.entry)
            self._open.remove(debt)


async def on_each(
    hosts: Iterable[Host], act: Callable[[Host], Awaitable[object]]
) -> dict[str, str]:
    """Act on all hosts at once, to the end even if cancelled; what failed, by host."""
    answers = await ask_each(hosts, lambda host: to_its_end(act(host)))
    return {name: str(error) for name, error in answers.items() if isinstance(error, Exception)}


async def to_its_end(work: Awaitable[T]) -> T:
    """Await `work`; if cancelled meanwhile let it finish first.

    An undo must not overtake the very command it is to undo.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):
            await task
        raise


async def ask_each(
    hosts: Iterable[Host], ask: Callable[[Host], Awaitable[T]]
) -> dict[str, T | HostError | OSError]:
    """Ask all hosts at once, each to its end; the answer, or what went wrong, by host.

    Only the troubles of hosts (`TimeoutError` is an `OSError`) are answers; a bug is raised.
    """
    asked = list(hosts)
    answers = await asyncio.gather(*map(ask, asked), return_exceptions=True)
    by_host: dict[str, T | HostError | OSError] = {}
    for host, answer in zip(asked, answers, strict=True):
        if isinstance(answer, BaseException) and not isinstance(answer, HostError | OSError):
            raise answer
        by_host[host.name] = answer
    return by_host
