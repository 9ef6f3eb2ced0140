"""What has been seen of the cluster so far, as one value that events move on.

The observer's events say what each node thinks of itself; the nemesis's own events say which
faults are in force.  A `Picture` holds the latest of both, and nothing older save who was
last known to lead: a primary that hangs for a moment and comes back has not been elected.

A node leads if it says so in one of the words of `LEADING`, as its ``role``, or as that of one
of its ``shards``: ``{"shards": {"s1": {"role": "primary", "term": 5}}}``.  A node that did not
answer when last asked leads nobody, as far as we know.

Nodes of a simulated cluster are not asked: they tell what happens to them, one event at a time.
Of these ``{"event": "role", "role": "leader", "term": 5, "shard": "s1"}`` is such a role.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from histories import NEMESIS, OBSERVER, Event, Json
from nemesis.targets import Observations

LEADING: Final = frozenset({"leader", "primary", "master"})


class Mandate(msgspec.Struct, frozen=True):
    """That a node leads a shard ("" where there are none), in a term if the system has any."""

    node: str
    shard: str
    term: int | None


class Picture(msgspec.Struct, frozen=True):
    """`nodes` holds what each node that answered has said last.

    `told` are observations of the cluster as a whole, `mandates` who was last known to lead
    each shard, and `in_force` the faults that were ordered and not yet stopped, with their
    targets.
    """

    nodes: Mapping[str, Mapping[str, Json]] = {}
    told: Mapping[str, Json] = {}
    mandates: Mapping[str, Mandate] = {}
    in_force: Mapping[str, tuple[str, ...]] = {}

    def after(self, event: Event) -> Picture:
        """This picture with what the event tells; the same one if it tells nothing."""
        if event.process == OBSERVER:
            return self._observed(event)
        if event.process == NEMESIS and event.type != "invoke":
            return self._struck(event)
        return self

    @property
    def observations(self) -> Observations:
        """What targets may know: ``primaries``, and what was told of the whole cluster."""
        if not self.nodes and not self.mandates:
            return self.told
        leading = sorted({mandate.node for mandate in self._leading()})
        return {**self.told, "primaries": leading}

    def _observed(self, event: Event) -> Picture:
        said = event.value if isinstance(event.value, dict) else {}
        if event.node is not None and "event" in said:
            return self._heard(event.node, said)
        if event.node is None:
            return msgspec.structs.replace(self, told={**self.told, **said}) if said else self
        nodes = {node: each for node, each in self.nodes.items() if node != event.node}
        if event.error is not None:
            return msgspec.structs.replace(self, nodes=nodes)
        mandates = {**self.mandates}
        for mandate in mandates_of(event.node, said):
            if is_newer(mandate, mandates.get(mandate.shard)):
                mandates[mandate.shard] = mandate
        return msgspec.structs.replace(self, nodes={**nodes, event.node: said}, mandates=mandates)

    def _heard(self, node: str, said: Mapping[str, Json]) -> Picture:
        """What a node tells by itself is news of one thing, and leaves the rest as it was."""
        others = {name: each for name, each in self.nodes.items() if name != node}
        if said["event"] in ("ended", "died") and node in self.nodes:
            return msgspec.structs.replace(self, nodes=others)
        if said["event"] != "role":
            return self
        shard, now = str(said.get("shard", "")), {**self.nodes.get(node, {})}
        shards = now.get("shards")
        now["shards"] = {**(shards if isinstance(shards, dict) else {}), shard: said}
        mandates = {**self.mandates}
        for mandate in mandates_of(node, {"shards": {shard: said}}):
            if is_newer(mandate, mandates.get(shard)):
                mandates[shard] = mandate
        return msgspec.structs.replace(self, nodes={**others, node: now}, mandates=mandates)

    def _struck(self, event: Event) -> Picture:
        verb, _, name = event.f.partition("-")
        others = {fault: at for fault, at in self.in_force.items() if fault != name}
        if verb == "start":
            value = event.value if isinstance(event.value, dict) else {}
            targets = value.get("targets")
            struck = tuple(targets) if isinstance(targets, list) else ()
            return msgspec.structs.replace(self, in_force={**others, name: struck})
        if verb == "stop" and name in self.in_force:
            return msgspec.structs.replace(self, in_force=others)
        return self

    def _leading(self) -> Iterator[Mandate]:
        for node, said in self.nodes.items():
            yield from mandates_of(node, said)


def mandates_of(node: str, said: Mapping[str, Json]) -> Iterator[Mandate]:
    """What a node says it leads."""
    shards = said.get("shards")
    each = shards if isinstance(shards, dict) else {}
    for shard, state in {"": said, **each}.items():
        if isinstance(state, dict) and state.get("role") in LEADING:
            term = state.get("term")
            yield Mandate(node, shard, term if isinstance(term, int) else None)


def is_newer(mandate: Mandate, known: Mandate | None) -> bool:
    """Whether a primary has been elected since; one of an older term only does not know yet."""
    if known is None:
        return True
    if mandate.term is None or known.term is None or mandate.term == known.term:
        return mandate.node != known.node
    return mandate.term > known.term
