"""A small replicated register, the teaching example of the simulated world.

One value on every node, read and written through majorities (Attiya, Bar-Noy and Dolev,
"Sharing memory robustly in message-passing systems", 1995), with bugs to switch on:

    momus sim register --bug no-sync
"""

from simulation.register._system import SYSTEM, RegisterClient, RegisterSystem

__all__ = ["SYSTEM", "RegisterClient", "RegisterSystem"]
