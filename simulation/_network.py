"""The simulated network: what becomes of a message between two names.

Every directed pair of names has a `Wire` of its own, with its own weather, and may be cut.  Each
message takes a time of its own, so messages overlap and overtake each other.  All that is drawn
comes from one source of randomness, in the order in which messages are sent.

Trouble has owners: a fault changes or cuts wires in its own name and takes back just that, so
faults can lie over each other.  Names that are no node are all called `CLIENTS` there, for
clients come and go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import gamma, log
from random import Random
from typing import Final

from simulation._loop import TICK_S, VirtualLoop
from simulation.world import Receive

Link = tuple[str, str]
"""From whom, to whom."""

CLIENTS: Final = "clients"
STORE: Final = "objects"
"""The object store, which sends no messages, but whose links can be cut."""


@dataclass(frozen=True)
class Weather:
    """What happens to messages on a wire; shares are probabilities for each message.

    The delay is `delay_s` at least, and `jitter_s` in the mean beyond that: exponential, or
    with a `tail` below 1 so uneven that few messages take most of it.  A message that is held
    back (`reordering`) takes up to `hold_s` longer.  With `bytes_s` messages go through one
    after the other, and those are dropped that would have to wait behind more than
    `queue_bytes`.
    """

    delay_s: float = 0.0002
    jitter_s: float = 0.0003
    tail: float = 1.0
    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    hold_s: float = 0.5
    bytes_s: float | None = None
    queue_bytes: int = 256 * 1024


FAIR: Final = Weather()
HEADER_BYTES: Final = 64
"""What a message takes of a wire beside its own length."""


class Wire:
    """One direction between two names."""

    __slots__ = ("cut", "free_s", "plain", "receiver", "sender", "weather")

    def __init__(self, sender: str, receiver: str) -> None:
        self.sender = sender
        self.receiver = receiver
        self.weather = FAIR
        self.cut = False
        self.plain = True  # nothing but a delay
        self.free_s = 0.0  # when what was sent before has gone through


class _Passage:
    """A message under way."""

    __slots__ = ("message", "network", "wire")
    _cancelled = False

    def __init__(self, network: SimulatedNetwork, wire: Wire, message: bytes) -> None:
        self.network = network
        self.wire = wire
        self.message = message

    def _run(self) -> None:
        wire = self.wire
        if wire.cut:  # also what was under way is lost
            return
        ear = self.network._ears.get(wire.receiver)
        if ear is not None:
            self.network.delivered += 1
            ear(wire.sender, self.message)


class SimulatedNetwork:
    """Brings messages from name to name; a name that nobody listens for is a silent one.

    Invariant: each wire is as `fair` and the troubles of all owners make it, in their order.
    """

    def __init__(self, loop: VirtualLoop, random: Random, nodes: Iterable[str] = ()) -> None:
        self.sent = 0
        self.delivered = 0
        self.dropped = 0
        self._nodes = dict.fromkeys(nodes)
        self._fair = FAIR
        self._loop = loop
        self._random = random.random
        self._ears: dict[str, Receive] = {}
        self._wires: dict[Link, Wire] = {}
        self._cuts: dict[str, frozenset[Link]] = {}
        self._troubles: dict[str, tuple[frozenset[Link], Mapping[str, float]]] = {}

    # -- sending and hearing -------------------------------------------------------------

    def listen(self, name: str, receive: Receive) -> None:
        """Whoever has this name hears of messages by `receive`, from now on."""
        self._ears[name] = receive

    def forget(self, name: str) -> None:
        """Nobody has this name any more."""
        self._ears.pop(name, None)

    def send(self, sender: str, to: str, message: bytes) -> None:
        """Send it on its way, or lose it."""
        self.sent += 1
        wire = self._wires.get((sender, to)) or self._wire(sender, to)
        loop = self._loop
        if wire.plain:
            weather = wire.weather
            # An exponential delay, as random.expovariate has it, without its call.
            delay_s = weather.delay_s - log(1.0 - self._random()) * weather.jitter_s
            loop.happen_at(loop._now_s + delay_s, _Passage(self, wire, message))
        elif sender == to:
            loop.happen_soon(_Passage(self, wire, message))
        else:
            self._send_through(wire, message)

    def passes(self, sender: str, to: str) -> bool:
        """Whether the wire between them is whole."""
        return not (self._wires.get((sender, to)) or self._wire(sender, to)).cut

    def _send_through(self, wire: Wire, message: bytes) -> None:
        weather, random, loop = wire.weather, self._random, self._loop
        now_s = loop._now_s
        if weather.loss and random() < weather.loss:
            self.dropped += 1
            return
        if weather.bytes_s is not None:
            queued_s = max(wire.free_s - now_s, 0.0)
            if queued_s * weather.bytes_s > weather.queue_bytes:
                self.dropped += 1
                return
            wire.free_s = now_s + queued_s + (len(message) + HEADER_BYTES) / weather.bytes_s
            now_s = wire.free_s
        copies = 2 if weather.duplication and random() < weather.duplication else 1
        for _ in range(copies):
            jitter = -log(1.0 - random())
            if weather.tail != 1.0:  # a power of it with the same mean: few take most
                jitter = jitter ** (1 / weather.tail) / _mean_of(1 / weather.tail)
            delay_s = weather.delay_s + jitter * weather.jitter_s
            if weather.reordering and random() < weather.reordering:
                delay_s += random() * weather.hold_s
            loop.happen_at(now_s + max(delay_s, TICK_S), _Passage(self, wire, message))

    # -- trouble -------------------------------------------------------------------------

    @property
    def fair(self) -> Weather:
        """The weather where nothing is wrong."""
        return self._fair

    @fair.setter
    def fair(self, weather: Weather) -> None:
        self._fair = weather
        self._refresh()

    def sever(self, owner: str, links: Iterable[Link]) -> None:
        """Cut these links, and no others, in the name of `owner`."""
        self._cuts[owner] = frozenset(links)
        self._refresh()

    def mend(self, owner: str) -> None:
        """Take back what was cut in the name of `owner`."""
        if self._cuts.pop(owner, None):
            self._refresh()

    def trouble(self, owner: str, links: Iterable[Link], changes: Mapping[str, float]) -> None:
        """Change the weather of these links, in the name of `owner`; fields of `Weather`."""
        self._troubles[owner] = (frozenset(links), dict(changes))
        self._refresh()

    def clear(self, owner: str) -> None:
        """Take back the weather that was changed in the name of `owner`."""
        if self._troubles.pop(owner, None):
            self._refresh()

    def wire(self, link: Link) -> Wire:
        """The wire as it is now, to look at."""
        return self._wires.get(link) or self._wire(*link)

    def _wire(self, sender: str, to: str) -> Wire:
        wire = self._wires[sender, to] = Wire(sender, to)
        self._set(wire)
        return wire

    def _refresh(self) -> None:
        for wire in self._wires.values():
            self._set(wire)

    def _set(self, wire: Wire) -> None:
        link = (self._role(wire.sender), self._role(wire.receiver))
        wire.cut = wire.sender != wire.receiver and any(
            link in links for links in self._cuts.values()
        )
        weather = self._fair
        for links, changes in self._troubles.values():
            if link in links:
                weather = replace(weather, **changes)  # type: ignore[arg-type]
        wire.weather = weather
        wire.plain = wire.sender != wire.receiver and weather == replace(
            FAIR, delay_s=weather.delay_s, jitter_s=weather.jitter_s
        )

    def _role(self, name: str) -> str:
        return name if name in self._nodes or name == STORE else CLIENTS


def _mean_of(power: float) -> float:
    return gamma(1 + power)  # the moment of an exponential


@dataclass(frozen=True)
class Endpoint:
    """The network as one of its names sees it; for clients, who live outside all machines."""

    name: str
    network: SimulatedNetwork

    def listen(self, receive: Receive) -> None:
        """See `world.Network`."""
        self.network.listen(self.name, receive)

    def send(self, to: str, message: bytes) -> None:
        """See `world.Network`."""
        self.network.send(self.name, to, message)

    def close(self) -> None:
        """Give the name up."""
        self.network.forget(self.name)
