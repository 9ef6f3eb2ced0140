"""The simulated network: what becomes of a message between two names.

Every message takes a time of its own, so messages overtake each other.  `Weather` is what a
link is like; it can be changed for single directed links, and links can be cut.  All that is
drawn comes from one source of randomness, in the order in which messages are sent.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Final

from simulation.world import Receive

Link = tuple[str, str]
"""From whom, to whom."""


@dataclass(frozen=True)
class Weather:
    """What happens to messages on a link; probabilities are for each message.

    The delay is `delay_s` at least and exponential beyond, `jitter_s` in the mean.
    """

    delay_s: float = 0.0002
    jitter_s: float = 0.0003
    loss: float = 0.0
    duplication: float = 0.0


FAIR: Final = Weather()


class SimulatedNetwork:
    """Brings messages from name to name; a name that nobody listens for is a silent one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, random: Random) -> None:
        self.fair = FAIR
        self.weather: dict[Link, Weather] = {}
        self.cut: set[Link] = set()
        self.sent = 0
        self.delivered = 0
        self._loop = loop
        self._random = random
        self._ears: dict[str, Receive] = {}

    def listen(self, name: str, receive: Receive) -> None:
        """Whoever has this name hears of messages by `receive`, from now on."""
        self._ears[name] = receive

    def forget(self, name: str) -> None:
        """Nobody has this name any more."""
        self._ears.pop(name, None)

    def send(self, sender: str, to: str, message: bytes) -> None:
        """Send it on its way, or lose it."""
        self.sent += 1
        link = (sender, to)
        weather = self.weather.get(link, self.fair) if self.weather else self.fair
        random = self._random.random
        if weather.loss and random() < weather.loss:
            return
        copies = 2 if weather.duplication and random() < weather.duplication else 1
        for _ in range(copies):
            delay_s = weather.delay_s + self._random.expovariate(1.0) * weather.jitter_s
            if sender == to:
                delay_s = 0.0
            self._loop.call_later(delay_s, self._arrive, link, message)

    def _arrive(self, link: Link, message: bytes) -> None:
        if link in self.cut:  # also what was under way is lost
            return
        ear = self._ears.get(link[1])
        if ear is not None:
            self.delivered += 1
            ear(link[0], message)


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
