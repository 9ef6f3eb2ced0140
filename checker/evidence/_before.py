"""What came before: the greatest number earlier in a group, or told before an operation began.

Both are running maxima over sorted columns, so they take one sort and no search for each row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from checker.evidence._checker import clock_of
from checker.evidence._numbers import ABSENT
from histories import History

Numbers = npt.NDArray[np.int64]


def instants_of(history: History) -> Numbers:
    """The instants of the events, numbered in order of time; equal times have one number."""
    clock = clock_of(history)
    if not len(clock):
        return np.empty(0, dtype=np.int64)
    steps = np.diff(clock, prepend=clock[0])
    if (steps >= 0).all():
        return np.cumsum(steps > 0)
    return np.unique(clock, return_inverse=True)[1].astype(np.int64)


def numbered(*columns: npt.NDArray[Any]) -> Numbers:
    """Numbers from 0 for distinct rows of these columns of integers, in order of the rows."""
    number = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        if not len(column):
            return number
        least, most = int(column.min()), int(column.max())
        if (int(number.max()) + 1) * (most - least + 1) >= 2**62:
            column = np.unique(column, return_inverse=True)[1]
            least, most = 0, int(column.max())
        number = number * (most - least + 1) + (column.astype(np.int64) - least)
        if int(number.max()) > 4 * len(number) + 1_000_000:
            number = np.unique(number, return_inverse=True)[1].astype(np.int64)
    return number


def earlier_max(group: Numbers, value: Numbers) -> Numbers:
    """The greatest value earlier in the same group, `ABSENT` if there is none; shape `(n,)`.

    `group` is sorted, from 0; `ABSENT` values are skipped.
    """
    return _accumulated(group, value, shifted=True)


def settled_max(
    key: Numbers, end: Numbers, value: Numbers, asked_key: Numbers, asked_begin: Numbers
) -> Numbers:
    """For each question, the greatest value of its key among what ended before it began.

    `key`, `end` and `value` have shape `(n,)`, the questions `(n_asked,)` like the answer, which
    is `ABSENT` where nothing ended before.  Times are numbers of `instants_of`.
    """
    answer = np.full(len(asked_key), ABSENT, dtype=np.int64)
    if not len(key) or not len(asked_key):
        return answer
    span = int(max(end.max(), asked_begin.max())) + 1
    when = key * span + end
    order = np.argsort(when, kind="stable")
    greatest = _accumulated(key[order], value[order], shifted=False)
    place = np.searchsorted(when[order], asked_key * span + asked_begin, side="left") - 1
    there = place >= 0
    there[there] = key[order[place[there]]] == asked_key[there]
    answer[there] = greatest[place[there]]
    return answer


def _accumulated(group: Numbers, value: Numbers, *, shifted: bool) -> Numbers:
    result = np.full(len(value), ABSENT, dtype=np.int64)
    real = value != ABSENT
    if not real.any():
        return result
    least, most = int(value[real].min()), int(value[real].max())
    names = None
    if (int(group[-1]) + 1) * (most - least + 2) >= 2**62:
        names, ranks = np.unique(value[real], return_inverse=True)
        value = value.copy()
        value[real] = ranks
        least, most = 0, len(names) - 1
    base = group * (most - least + 2)
    # Within a group, 0 stands for "nothing yet".
    running = np.maximum.accumulate(base + np.where(real, value - least + 1, 0))
    if shifted:
        running = np.append(np.int64(-1), running[:-1])
    there = running > base
    result[there] = running[there] - base[there] - 1 + least
    if names is not None:
        result[there] = names[result[there]]
    return result
