"""A workload: what clients do, and how to judge whether it went well; and a whole test of it.

A `Workload` is a value that other rooms read: the runner plays its generators, a checker
is chosen by its hints.  `compose` puts one together with faults and a time limit in the
way such tests are made: load and faults at the same time; then everything is mended and
given time to recover; then the final reads, which must find what was acknowledged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from generators._pacing import log, sleep, stagger, time_limit
from generators._protocol import Generator, Liftable
from generators._threads import clients, nemesis, phases
from histories import Json


@dataclass(frozen=True)
class Workload:
    """What clients do.

    `generator` is the load, `final` what comes after the cluster has been mended (None:
    nothing).  The history is to be judged by the `model`, from the `initial` value, if there is
    one, and by the `checkers`, which need no search, as the command line names them.  `client`
    are options that a client needs to know.  `meta` says with which options the workload was
    made; it belongs in the header of the history.
    """

    name: str
    generator: Generator | None
    final: Generator | None = None
    model: str | None = None
    initial: Json = None
    checkers: tuple[str, ...] = ()
    client: Mapping[str, Json] = field(default_factory=dict)
    meta: Mapping[str, Json] = field(default_factory=dict)


def compose(
    workload: Workload,
    *,
    time_limit_s: float,
    rate: float | None = None,
    faults: Liftable = None,
    heal: Liftable = None,
    settle_s: float = 0.0,
    quiet: bool = False,
) -> Generator | None:
    """The generator of a whole test.

    `rate` is in operations per second, over all clients (None: as fast as they answer).
    `faults` is the nemesis' schedule during the load, `heal` its operations afterwards;
    `settle_s` is how long the mended cluster is left alone before the final reads, and if
    `quiet` also where there are none: somebody wants to look at it.
    """
    if rate is not None and rate <= 0:
        raise ValueError(f"a rate must be positive (operations per second), not {rate}")
    load: Liftable = workload.generator
    if rate is not None:
        load = stagger(1 / rate, load)
    rest = settle_s > 0 and (workload.final is not None or (quiet and heal is not None))
    return phases(
        time_limit(time_limit_s, clients(load, faults)),
        nemesis([log("mending everything"), heal]) if heal is not None else None,
        clients([log(f"waiting {settle_s} s for recovery"), sleep(settle_s)]) if rest else None,
        clients(workload.final),
    )
