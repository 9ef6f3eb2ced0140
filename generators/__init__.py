"""What to do next: pure generators, workloads made of them, and the runner that plays them."""

from generators._choice import any_of, flip_flop, mix
from generators._client import Blocking, BlockingClient, Client, NemesisLike
from generators._context import Context, Thread
from generators._lifting import lift
from generators._pacing import delay, log, sleep, stagger, time_limit
from generators._protocol import (
    PENDING,
    Emitted,
    Generator,
    GeneratorError,
    Liftable,
    Pending,
)
from generators._shaping import concat, cycle, f_map, filter, limit, map, once, repeat, until_ok
from generators._simulate import crashing, instant, perfect, simulate
from generators._test import EventRecorder, Outcome, Test
from generators._threads import (
    clients,
    each_thread,
    nemesis,
    on_threads,
    phases,
    process_limit,
    reserve,
    synchronize,
    then,
)
from generators._validation import validate

__all__ = [
    "PENDING",
    "Blocking",
    "BlockingClient",
    "Client",
    "Context",
    "Emitted",
    "EventRecorder",
    "Generator",
    "GeneratorError",
    "Liftable",
    "NemesisLike",
    "Outcome",
    "Pending",
    "Test",
    "Thread",
    "any_of",
    "clients",
    "concat",
    "crashing",
    "cycle",
    "delay",
    "each_thread",
    "f_map",
    "filter",
    "flip_flop",
    "instant",
    "lift",
    "limit",
    "log",
    "map",
    "mix",
    "nemesis",
    "on_threads",
    "once",
    "perfect",
    "phases",
    "process_limit",
    "repeat",
    "reserve",
    "simulate",
    "sleep",
    "stagger",
    "synchronize",
    "then",
    "time_limit",
    "until_ok",
    "validate",
]
