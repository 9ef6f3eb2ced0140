"""Where schedules draw from: a stream of their own for each order, out of the run's seed.

Clients draw from the run's common source, and how often they do depends on how fast the
cluster answers.  Were orders drawn from it, too, the same seed would give other faults on
every day.  So the n-th order of a schedule is drawn from a source that is made of the seed,
the schedule's name and n, whatever else happens in the run.
"""

from __future__ import annotations

from random import Random

from generators import Context


def chance(ctx: Context, *purpose: object) -> Random:
    """The source for this purpose; the common one where the context knows no ``seed``."""
    seed = ctx.meta.get("seed")
    if seed is None:
        return ctx.random
    return Random("/".join(map(str, (seed, *purpose))))
