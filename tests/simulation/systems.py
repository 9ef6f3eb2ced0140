"""Systems that go wrong in ways of their own, for the tests of campaigns."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from histories import Json
from simulation import Bug, Program, Scenario, World
from simulation.register import RegisterSystem


class Moody(RegisterSystem):
    """The register; its bugs are no bugs of a register, but of whoever wrote the system."""

    name = "moody"
    bugs: Mapping[str, Bug] = {
        name: Bug(name, "See `program`.") for name in ("hangs", "ends", "raises", "dies", "deaf")
    }
    scenarios: Mapping[str, Scenario] = {
        name: replace(RegisterSystem.scenarios[name], time_limit_s=0.3, settle_s=0.0)
        for name in ("calm", "kill")
    }

    def program(
        self, nodes: Sequence[str], bug: str | None, options: Mapping[str, Json]
    ) -> Program:
        """See `simulation.System`."""
        if bug == "raises":
            raise RuntimeError("no program today, 12 times")
        sound = super().program(nodes, None, options)

        async def run(world: World) -> None:
            if bug == "hangs":
                while True:
                    pass
            if bug == "ends":
                os._exit(7)
            if bug == "dies" and world.name == "n1":
                raise KeyError("lost")
            if bug == "deaf":
                await world.forever()
            await sound(world)

        return run


SYSTEM = Moody()
