"""Cases played by the workers of a Dask scheduler, for campaigns that one machine is too small for.

Dask (`pip install 'momus[dask]'`) is imported only when it is asked for.  What travels is text:
a batch of cases as JSON to a worker, their results as JSON back.  Each worker plays its batch in
a process of its own, so that a case that never ends is killed there as it is here.  momus and
the system have to be importable on the workers, in the same version.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from simulation._players import CASE_LIMIT_S, Players
from simulation._results import Result
from simulation.scenario import Case

BATCH_CASES: Final = 20
"""Starting the process of a batch takes about as long as a few cases."""

AHEAD_BATCHES: Final = 4
"""So many batches for each worker are handed out before their results are in."""

_CONNECT_LIMIT_S: Final = 20


class NoScheduler(RuntimeError):
    """Dask is not installed, or its scheduler does not answer; the message says what to try."""


def play_batch(cases: str, case_limit_s: float) -> str:
    """On a worker: the results of cases, both as JSON."""
    asked = msgspec.json.decode(cases, type=list[Case])
    with Players(1, case_limit_s=case_limit_s) as players:
        return msgspec.json.encode(list(players.results(asked))).decode()


@contextlib.contextmanager
def results_by_dask(
    address: str, cases: Iterable[Case], *, case_limit_s: float = CASE_LIMIT_S
) -> Iterator[Iterator[Result]]:
    """The results of cases as they come; what is not done at the end is called off.

    Raises `NoScheduler` where there is none.
    """
    try:
        import distributed
    except ImportError as error:
        raise NoScheduler(
            "Dask is not installed; try pip install 'momus[dask]', or leave --scheduler out"
        ) from error
    dask: Any = distributed
    try:
        client = dask.Client(address, timeout=_CONNECT_LIMIT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise NoScheduler(f"no Dask scheduler answers at {address}: {error}") from error
    with client:
        yield _played(client, dask.as_completed(loop=client.loop), cases, case_limit_s)


def _played(
    client: Any, underway: Any, cases: Iterable[Case], case_limit_s: float
) -> Iterator[Result]:
    waiting = iter(cases)
    ahead = AHEAD_BATCHES * max(1, len(client.scheduler_info()["workers"]))

    def hand_out() -> None:
        batch = list(itertools.islice(waiting, BATCH_CASES))
        if batch:
            text = msgspec.json.encode(batch).decode()
            underway.add(client.submit(play_batch, text, case_limit_s, pure=False))

    for _ in range(ahead):
        hand_out()
    for future in underway:
        hand_out()
        yield from msgspec.json.decode(future.result(), type=list[Result])
