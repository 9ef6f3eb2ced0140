"""What to do next: pure generators, workloads made of them, and the runner that plays them."""

from generators._bank import bank
from generators._choice import any_of, flip_flop, mix
from generators._client import Blocking, BlockingClient, Client, NemesisLike, ObserverLike
from generators._clock import Clock, LoopClock, MonotonicClock
from generators._context import Context, Thread
from generators._keys import concurrent_keys, sequential_keys
from generators._lifting import lift
from generators._locks import lock
from generators._logs import log_workload, watch
from generators._numbers import counter, unique_ids
from generators._pacing import delay, log, sleep, stagger, time_limit
from generators._play import SetupFailed, play
from generators._protocol import (
    PENDING,
    Emitted,
    Generator,
    GeneratorError,
    Liftable,
    Pending,
)
from generators._register import register
from generators._set import set_workload
from generators._shaping import concat, cycle, f_map, filter, limit, map, once, repeat, until_ok
from generators._simulate import LATENCY_NS, crashing, instant, perfect, simulate
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
from generators._workload import Workload, compose

__all__ = [
    "LATENCY_NS",
    "PENDING",
    "Blocking",
    "BlockingClient",
    "Client",
    "Clock",
    "Context",
    "Emitted",
    "EventRecorder",
    "Generator",
    "GeneratorError",
    "Liftable",
    "LoopClock",
    "MonotonicClock",
    "NemesisLike",
    "ObserverLike",
    "Outcome",
    "Pending",
    "SetupFailed",
    "Test",
    "Thread",
    "Workload",
    "any_of",
    "bank",
    "clients",
    "compose",
    "concat",
    "concurrent_keys",
    "counter",
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
    "lock",
    "log",
    "log_workload",
    "map",
    "mix",
    "nemesis",
    "on_threads",
    "once",
    "perfect",
    "phases",
    "play",
    "process_limit",
    "register",
    "repeat",
    "reserve",
    "sequential_keys",
    "set_workload",
    "simulate",
    "sleep",
    "stagger",
    "synchronize",
    "then",
    "time_limit",
    "unique_ids",
    "until_ok",
    "validate",
    "watch",
]
