"""Is a history sequentially consistent?

It is if some order of *all* operations exists that the model allows and in which each process
did its own in the order in which it did them (Lamport, "How to make a multiprocessor computer
that correctly executes multiprocess programs", 1979).  Real time does not count: a read may
answer what was overwritten hours ago, as long as its process never saw anything newer.

Linearizability is stronger, and faster to decide, since there each key is searched alone.
So that is tried first: the linearizations of all keys, merged by the time at which each
operation takes effect, are an order.  (Where events tie, operations of one process may count
as concurrent; then the merged order may not keep theirs, and is not taken.)  Otherwise the
whole history is searched (engine/src/sequential).  That problem is hard (Gibbons & Korach
1997), and a long history that has no order may end as unknown.
"""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec
import numpy as np

from checker._asking import Asking
from checker._explanation import shown_value, told
from checker._limits import Limits, limits_of
from checker._linearizable import chosen_model, linearizable
from checker._model import Model, ModelError
from checker._nondeterministic import NondeterministicModel, members, shown_state
from checker._searching import calls_of, explored, gathered, where
from checker._verdict import Counterexample, Linearization, Unknown, Verdict
from engine._native import SequentialAnswer, canonical_json, search_sequential
from histories import Event, History, Json

SEARCHED: Final = "search over the orders of processes"
MERGED: Final = "linearizations of all keys, merged"

_NOTE: Final = (
    "Sequential consistency says nothing about real time: operations may seem to take effect "
    "long before or after they did, only the order of each process's own is kept."
)
_NATIVE: Final = ("register", "cas-register", "kv")
_SHARE_OF_TIME: Final = 0.25
"""Of a time limit, for the attempt to show that the history is even linearizable."""

_STUCK_SHOWN: Final = 4


def sequentially_consistent(
    history: History,
    model: str | Model | NondeterministicModel = "cas-register",
    *,
    initial: Json = None,
    time_limit_s: float | None = None,
    memory_limit_bytes: int | None = None,
    jobs: int | None = None,
) -> Verdict:
    """Judge whether all keys of `history` together are sequentially consistent.

    The arguments are those of `linearizable`.  A `valid` carries one certificate, an order of
    the operations of all keys, for `verify_sequential`; an `invalid` the farthest that any
    order gets, and the operation at which each process is stuck there.

    Raises `ModelError` where an operation does not fit the model, and `ValueError` where
    an argument makes no sense.
    """
    started = time.perf_counter()
    limits = limits_of(time_limit_s, memory_limit_bytes, jobs, None)
    first = None if time_limit_s is None else time_limit_s * _SHARE_OF_TIME
    linear = linearizable(
        history,
        model,
        initial=initial,
        time_limit_s=first,
        memory_limit_bytes=memory_limit_bytes,
        jobs=jobs,
        core=False,
    )
    chosen = chosen_model(model, initial)
    notes = (_NOTE, *linear.notes)

    def verdict(
        valid: bool | None,
        algorithm: str = SEARCHED,
        order: np.ndarray[tuple[int], np.dtype[np.uint32]] | None = None,
        counterexamples: tuple[Counterexample, ...] = (),
        unknown: Unknown | None = None,
    ) -> Verdict:
        return Verdict(
            valid="unknown" if valid is None else valid,
            checker="sequentially_consistent",
            model=chosen.name,
            algorithm=algorithm,
            operations=linear.operations,
            seconds=time.perf_counter() - started,
            counterexamples=counterexamples,
            unknown=unknown,
            notes=notes,
            details={"consistency": "sequential", "linearizable": linear.valid},
            certificates=() if order is None else (Linearization(None, order),),
        )

    if linear.valid is True:
        merged = _merged(history, linear.certificates)
        if merged is not None:
            return verdict(True, MERGED, order=merged)
    answer, states = _search(history, chosen, limits.since(started))
    if answer.verdict == "valid":
        return verdict(True, order=answer.order)
    if answer.verdict == "invalid":
        return verdict(False, counterexamples=(_explained(history, answer, states),))
    return verdict(None, unknown=_unknown(answer, linear.operations, limits))


def _merged(
    history: History, certificates: tuple[Linearization, ...]
) -> np.ndarray[tuple[int], np.dtype[np.uint32]] | None:
    """The orders of all keys by the instant at which each operation takes effect.

    That instant is the latest invocation so far in the order of its key.  Invocations have
    distinct ranks, so only operations of one key share one, and a stable sort keeps these as
    they are.  None where the order of a process is not kept.
    """
    if not certificates:
        return np.zeros(0, np.uint32)
    rank = np.empty(len(history), np.int64)
    clock = history.time if history.time[0] != history.time[-1] else np.zeros(len(history))
    rank[np.lexsort((np.arange(len(history)), clock))] = np.arange(len(history))
    orders = [certificate.order for certificate in certificates]
    points = [np.maximum.accumulate(rank[order]) for order in orders]
    order = np.concatenate(orders)[np.argsort(np.concatenate(points), kind="stable")]
    by_process = np.argsort(history.process[order], kind="stable")
    same = history.process[order][by_process][1:] == history.process[order][by_process][:-1]
    falls = order[by_process][1:] < order[by_process][:-1]
    return None if bool((same & falls).any()) else order


def _search(
    history: History, model: Model, limits: Limits
) -> tuple[SequentialAnswer, list[Json] | None]:
    operations = gathered(history, model, limits.jobs)

    def searched(native: Any, python: Any) -> SequentialAnswer:
        return search_sequential(
            operations, history.process, history.pairs, native, python, limits.seconds, limits.bytes
        )

    if model.native not in _NATIVE:
        asking = Asking(model, calls_of(history, operations))
        return searched(None, (asking, explored(operations, asking, limits))), asking.states
    values = (history.values.offsets, np.frombuffer(history.values.data, dtype=np.uint8))
    initial = canonical_json(msgspec.json.encode(model.initial)).decode()
    try:
        return searched((model.native, history.f_names, values, initial), None), None
    except ValueError as error:
        if len(error.args) != 2:
            raise
        klass, message = error.args
        raise ModelError(f"{where(history, operations, klass)}: {message}") from None


def _explained(
    history: History, answer: SequentialAnswer, states: list[Json] | None
) -> Counterexample:
    """The farthest that an order gets: what is stuck there, and in which states."""
    stuck = []
    for event, text in answer.next:
        state = states[int(text)] if states is not None else msgspec.json.decode(text)
        stuck.append((event, state))
    if answer.orphan is not None:
        stuck.sort(key=lambda each: each[0] != answer.orphan)
    invocations = {event for event, _ in stuck[:_STUCK_SHOWN]} | set(answer.last)
    if answer.orphan is not None:
        invocations.add(answer.orphan)
    positions = sorted(invocations | {int(history.pairs[each]) for each in invocations} - {-1})
    key = None
    if answer.key is not None and stuck:
        key = history.key_of(int(history.key[stuck[0][0]]))
    shown = answer.orphan if answer.orphan is not None else (stuck[0][0] if stuck else None)
    index = history.index
    return Counterexample(
        sentence=_sentence(history, answer, stuck, key),
        key=key,
        operation=None if shown is None else int(index[shown]),
        operations=tuple(history[position] for position in positions),
        states=tuple(each for _, state in stuck[:_STUCK_SHOWN] for each in members(state)),
        details={
            "placed": answer.placed,
            "stuck": [
                {
                    "operation": int(index[event]),
                    "key": history.key_of(int(history.key[event])),
                    "state": shown_state(state),
                }
                for event, state in stuck
            ],
            "last": [int(index[event]) for event in answer.last],
        },
    )


def _sentence(
    history: History, answer: SequentialAnswer, stuck: list[tuple[int, Json]], key: Json
) -> str:
    if answer.orphan is not None:
        invoked, completed = _both(history, answer.orphan)
        of_key = "" if invoked.key is None else f" of key {shown_value(invoked.key)}"
        return (
            f"Process {invoked.process} {told(invoked, completed)}{of_key} (event "
            f"{completed.index}), but no operation in the whole history leads to that state, so "
            "no order allows it."
        )
    parts = []
    for event, state in stuck[:_STUCK_SHOWN]:
        invoked, completed = _both(history, event)
        of_key = "" if invoked.key is None else f" of key {shown_value(invoked.key)}"
        parts.append(
            f"process {invoked.process} {told(invoked, completed)}{of_key} "
            f"(event {completed.index}) where the state is {shown_value(shown_state(state))}"
        )
    more = len(stuck) - len(parts)
    others = f", and {more} more processes wait" if more > 0 else ""
    whole = "of all operations" if key is None else f"of the operations of key {shown_value(key)}"
    return (
        f"No order {whole} keeps the order of each process: the farthest places "
        f"{answer.placed} operations, then {'; '.join(parts)}{others}."
    )


def _both(history: History, event: int) -> tuple[Event, Event]:
    return history[event], history[int(history.pairs[event])]


def _unknown(answer: SequentialAnswer, operations: int, limits: Limits) -> Unknown:
    place = f"the farthest order had placed {answer.placed} of {operations} operations"
    if answer.exhausted == "memory":
        allowed = f"{(limits.bytes or 0) / 1e6:,.0f} MB"
        sentence = f"The memory limit of {allowed} was reached: {place}."
        return Unknown("memory", sentence, "Give it more memory (--memory-limit).")
    given = f" of {limits.seconds:g} s" if limits.seconds is not None else ""
    sentence = f"The time limit{given} ran out: {place}."
    return Unknown("time", sentence, "Give it more time (--time-limit), or check fewer keys.")
