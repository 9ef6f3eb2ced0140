"""A node as a process: `python -m simulation.real NODE --config FILE`.

It ends with 0 when its program comes back or when it is asked to by SIGTERM, with 2 when it was
started wrongly, and with 70 of an error that its program did not handle.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulation.real._admin import AdminSurface
from simulation.real._config import Config
from simulation.real._world import RealWorld

if TYPE_CHECKING:
    from simulation.world import Program

_EXIT_USAGE: Final = 2


def main(arguments: Sequence[str]) -> int:
    """Run a node; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m simulation.real", description=__doc__)
    parser.add_argument("node", help="the node's own name")
    parser.add_argument("--config", type=Path, required=True, help="a JSON file, see _config")
    parser.add_argument("--life", type=int, default=1, help="how often it was started, with this")
    parser.add_argument(
        "--crash-at",
        type=_point,
        action="append",
        default=[],
        metavar="POINT:N",
        help="SIGKILL to itself when it reaches this crash point for the N-th time",
    )
    given = parser.parse_args(arguments)
    try:
        config = Config.read(given.config)
        if config.node != given.node:
            raise ValueError(f"{given.config} is the configuration of {config.node}")
        program = config.loaded()
    except (OSError, ValueError) as error:
        print(f"{given.node}: {error}", file=sys.stderr)
        return _EXIT_USAGE
    gc.freeze()  # what is there at the beginning stays; there is no need to look at it again
    asyncio.run(_live(config, program, given.life, given.crash_at))
    return 0


async def _live(
    config: Config, program: Program, life: int, points: Sequence[tuple[str, int]]
) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _end)
    world = RealWorld(config, life)
    for point, nth in points:
        world.arm(point, nth)
    print(f"{config.node}: life {life}, seed {config.seed}, bug {config.bug}", file=sys.stderr)
    try:
        await world.tcp.start()
        await AdminSurface(world).start(config.peers[config.node][0], config.admin)
        await program(world)
    except Exception as error:
        world.die(error)
    _end()


def _end() -> None:
    # At once: whatever a node has to keep it has synced, and no program is told that it ends.
    sys.stderr.flush()
    os._exit(0)


def _point(text: str) -> tuple[str, int]:
    point, _, nth = text.rpartition(":")
    if not point or not nth.isdigit() or not int(nth):
        raise argparse.ArgumentTypeError(f"{text!r} is not POINT:N with N from 1 on")
    return point, int(nth)
