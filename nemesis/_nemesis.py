"""The nemesis: one worker of the run, who breaks things on order and proves it.

It knows faults by name and obeys two operations for each, ``start-<fault>`` with a value
that says where (see the fault), and ``stop-<fault>``.  The completion carries a receipt,

    {"targets": ["n2"], "receipt": {"before": ..., "during": ..., "ok": true}}

and is `ok` only if the receipt is: what was struck was intact before and is broken now,
and nothing else is.  When a fault is stopped the proof is taken twice, too: it must still
be in force just before ("during"), or something else has healed it, and gone afterwards
("after").  Anything else completes as `info` with an error that says what was seen, so
that a fault which silently did nothing cannot pass for one that the system survived.

Whatever happens, `teardown` heals all that is left, host by host; a host that cannot be
reached does not keep the others from being healed, and is named.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence

from cluster import Host, HostError, Journal
from histories import Json, Op
from nemesis._fault import Declined, Fault, Field, Order, Proof

_log = logging.getLogger(__name__)


class NotHealed(Exception):
    """Something is still broken; `hosts` says where, and why, by fault and host."""

    def __init__(self, hosts: Mapping[str, Mapping[str, str]], journal: str) -> None:
        places = "; ".join(
            f"{fault} on {host}: {why}"
            for fault, each in hosts.items()
            for host, why in each.items()
        )
        super().__init__(
            f"not everything could be healed ({places}); "
            f"when the hosts answer again run `momus heal {journal}`"
        )
        self.hosts = hosts


class Nemesis:
    """Injects, proves and heals the given faults on the given hosts.

    Invariant: what `_in_force` names under a fault was seen broken by us and has not been
    seen healed since.
    """

    def __init__(self, faults: Iterable[Fault], hosts: Sequence[Host], journal: Journal) -> None:
        self._faults = {fault.name: fault for fault in faults}
        self._field = Field({host.name: host for host in hosts}, journal)
        self._ready: list[Fault] = []
        self._one_at_a_time = asyncio.Lock()
        self._in_force: dict[str, frozenset[str]] = {}
        self._targets: dict[str, list[str]] = {}

    async def setup(self) -> None:
        """Find out what the hosts can do, before any load; `Unsupported` if not enough."""
        for fault in self._faults.values():
            await fault.setup(self._field)
            self._ready.append(fault)

    async def invoke(self, op: Op) -> Op:
        """Obey a start or stop operation; the completion's value holds the receipt."""
        verb, _, name = op.f.partition("-")
        fault = self._faults.get(name)
        if fault is None or verb not in ("start", "stop"):
            known = ", ".join(f"start-{each}, stop-{each}" for each in self._faults)
            return _completion(op, op.value, [f"this nemesis knows no {op.f!r}, only {known}"])
        # A runner that lost patience may order the next thing while the last one winds up.
        async with self._one_at_a_time:
            if verb == "stop":
                return await self._stop(fault, op)
            try:
                order = await fault.read(op.value)
            except Declined as error:
                return _declined(op, error)
            except (ValueError, HostError, OSError) as error:
                return _completion(op, op.value, [str(error)])
            try:
                return await self._start(fault, order, op)
            except Declined as error:
                return _declined(op, error)

    async def teardown(self) -> None:
        """Heal whatever is left; raises `NotHealed` naming the hosts where that failed."""
        failed: dict[str, dict[str, str]] = {}
        async with self._one_at_a_time:
            for fault in reversed(self._ready):
                try:
                    where = await fault.heal()
                except Declined:
                    where = {}
                except Exception as error:  # one fault's trouble must not keep others broken
                    _log.exception("healing %s failed", fault.name)
                    where = {"?": f"{type(error).__name__}: {error}"}
                if where:
                    failed[fault.name] = where
                else:
                    self._in_force.pop(fault.name, None)
                    self._targets.pop(fault.name, None)
        if failed:
            raise NotHealed(failed, str(self._field.journal.path))

    async def _start(self, fault: Fault, order: Order, op: Op) -> Op:
        given = op.value if isinstance(op.value, dict) else {}
        told: dict[str, Json] = {**given, **order.detail, "targets": list(order.targets)}
        if not order.things:
            wanted = given.get("choice") == "none"
            told["receipt"] = {"ok": True} if wanted else {"ok": False, "effect": False}
            why = f"{op.f} had nothing to strike: {given.get('choice') or 'its target'} is nobody"
            return _completion(op, told, [] if wanted else [why])
        already = self._in_force.get(fault.name, frozenset())
        before = await fault.prove(order.things)
        failed = await fault.inject(order)
        during = await fault.prove(order.things)
        struck = frozenset(thing for thing in order.things if _is(during, thing, fault.broken))
        self._in_force[fault.name] = already | struck
        targets = {*self._targets.get(fault.name, ()), *order.targets}
        self._targets[fault.name] = [node for node in self._field.nodes if node in targets]
        missed = [
            *_unlike(before, order.things - already, fault.intact, "before the strike"),
            *_unlike(during, order.things, fault.broken, "after the strike"),
        ]
        complaints = [
            *(f"could not strike {node}: {why}" for node, why in failed.items()),
            *missed,
            *(
                f"{thing} was {before.states[thing]} and is {during.states[thing]}, "
                "though nobody struck it"
                for thing in sorted(before.states.keys() - order.things - already)
                if _is(before, thing, fault.intact) and _is(during, thing, fault.broken)
            ),
        ]
        told["receipt"] = _receipt(complaints, missed, before=before, during=during)
        return _completion(op, told, complaints)

    async def _stop(self, fault: Fault, op: Op) -> Op:
        struck = self._in_force.get(fault.name, frozenset())
        if not struck:  # nothing was seen broken, but an attempt may have left something
            failed, _ = await _healed(fault)
            complaints = [f"could not heal {node}: {why}" for node, why in failed.items()]
            told: dict[str, Json] = {"targets": self._targets.get(fault.name, [])}
            if not failed:
                self._targets.pop(fault.name, None)
            told["receipt"] = {"ok": not complaints}
            return _completion(op, told, complaints)
        during = await fault.prove(struck)
        failed, for_nothing = await _healed(fault)
        after = await fault.prove(struck)
        healed = frozenset(thing for thing in struck if _is(after, thing, fault.intact))
        self._in_force[fault.name] = struck - healed
        targets = self._targets[fault.name]
        if healed == struck:
            self._targets.pop(fault.name)
        missed = _unlike(during, struck, fault.broken, "before it was healed")
        complaints = [
            *missed,
            *(f"could not heal {node}: {why}" for node, why in failed.items()),
            *_unlike(after, struck, fault.intact, "after it was healed"),
        ]
        receipt = _receipt(complaints, missed, during=during, after=after)
        if for_nothing is not None and not complaints:
            complaints = [str(for_nothing)]
            receipt |= {"ok": False, "declined": True}
        return _completion(op, {"targets": targets, "receipt": receipt}, complaints)


async def _healed(fault: Fault) -> tuple[dict[str, str], Declined | None]:
    """What could not be healed, by node; and why all was for nothing, if it was."""
    try:
        return await fault.heal(), None
    except Declined as error:
        return {}, error


def _is(proof: Proof, thing: str, states: frozenset[str]) -> bool:
    return proof.states.get(thing, "unknown") in states


def _unlike(proof: Proof, things: frozenset[str], states: frozenset[str], when: str) -> list[str]:
    """A complaint for every thing that is in none of `states`."""
    wanted = " or ".join(sorted(states))
    return [
        f"{thing} was {proof.states.get(thing, 'unknown')} {when}, not {wanted}"
        for thing in sorted(things)
        if not _is(proof, thing, states)
    ]


def _receipt(complaints: Sequence[str], missed: Sequence[str], **proofs: Proof) -> dict[str, Json]:
    """The proofs, whether all is well, and, if it is not in force, that it has no effect."""
    told: dict[str, Json] = {when: proof.to_json() for when, proof in proofs.items()}
    return {**told, "ok": not complaints, **({"effect": False} if missed else {})}


def _declined(op: Op, why: Declined) -> Op:
    given = op.value if isinstance(op.value, dict) else {}
    receipt: dict[str, Json] = {"ok": False, "declined": True}
    return _completion(op, {**given, "receipt": receipt}, [str(why)])


def _completion(op: Op, value: Json, complaints: Sequence[str]) -> Op:
    """`ok` if nobody complains, else `info` with the complaints; the value stays either way."""
    outcome = "info" if complaints else "ok"
    error = "; ".join(complaints) or None
    return Op(op.f, value, op.key, outcome, op.process, op.time, error, op.node)  # type: ignore[arg-type]
