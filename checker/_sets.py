"""A set that clients add to and read, and never remove from.

It is the set of `_set_model`, judged in the engine by the chain of its reads.  What is
asked here besides: did anybody read?  If not, nothing shows what became of the additions,
and that they can be explained says nothing.
"""

from __future__ import annotations

import msgspec
import numpy as np

from checker._linearizable import linearizable
from checker._model import ModelError
from checker._verdict import Unknown, Verdict
from histories import History

_OK = 1


def grow_only_set(history: History) -> Verdict:
    """Judge whether each key of `history` is a linearizable set, of ``add`` and ``read``.

    Unknown (vacuous) if no read of some key succeeded.
    Raises `ModelError` where an operation is neither.
    """
    for code in np.unique(history.f[history.process >= 0]):
        if history.f_names[code] not in ("add", "read"):
            name = history.f_names[code]
            raise ModelError(f"a grow-only set has no operation {name!r}, only add and read")
    verdict = linearizable(history, "set")
    return unless_unread(history, msgspec.structs.replace(verdict, checker="set"))


def unless_unread(history: History, verdict: Verdict) -> Verdict:
    """`verdict`, or unknown where it is valid only because nobody looked at some key."""
    if verdict.valid is not True:
        return verdict
    clients = history.process >= 0
    looks = np.array([name != "add" for name in history.f_names], dtype=bool)
    answers = np.flatnonzero(clients & (history.type == _OK))
    seen = set(history.key[answers[looks[history.f[answers]]]].tolist())
    unseen = set(history.key[clients].tolist()) - seen
    # An addition that was told whether it changed the set has looked at it.
    for event in answers[np.isin(history.key[answers], list(unseen))]:
        if isinstance(history.value_of(int(history.value[event])), bool):
            unseen.discard(int(history.key[event]))
    if clients.any() and not unseen:
        return verdict
    return msgspec.structs.replace(
        verdict,
        valid="unknown",
        unknown=Unknown(
            "vacuous",
            "No read of the set succeeded, so nothing shows what became of the additions.",
            "Read the set at the end, once the system has recovered.",
        ),
    )
