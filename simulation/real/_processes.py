"""A simulated system as real processes: what `momus run` starts, breaks and asks.

Each node is one process, `python -m simulation.real`, with its configuration beside it.  It is
a `cluster.System` like any other: kill is SIGKILL, and with a `FaultyDisk` un-synced writes are
lost as when the power fails.
"""

from __future__ import annotations

import asyncio
import json
import posixpath
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

from cluster import (
    BadResponse,
    Connection,
    FakedClock,
    FaultyDisk,
    Host,
    HostError,
    Unsupported,
)
from histories import Json
from simulation.real._config import Config
from simulation.real._exchange import RealClient
from simulation.scenario import Case, System

WORLD_PORT: Final = 7400
ADMIN_PORT: Final = 7401
_ROOT: Final = Path(__file__).resolve().parents[2]
"""Where the packages are, installed or not."""
_SHARED: Final = ("netns", "local")
_ASK_TIMEOUT_S: Final = 2.0
_INSTALL_TIMEOUT_S: Final = 60.0
_KILL_TIMEOUT_S: Final = 2.0
_READY_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.05
_LEADING: Final = ("leader", "primary")
_REFUSED: Final = 409
_OF_PROCESS: Final = frozenset({"node", "monotonic", "wall"})
"""What a process adds to what it tells."""


class Processes:
    """`system` as processes; `program` names what each node runs (see `_config`).

    `bug` is switched on in all nodes, `options` go to the program, `seed` to its source of
    randomness.  `objects` is the folder that stands for the object store: on the hosts, and the
    same for all of them.  With a `disk`, nodes keep their data on it, and with a `clock` each has
    one of its own.  `points` are the crash points at which it shall be broken; all that it has
    unless given.
    """

    def __init__(
        self,
        system: System,
        program: str,
        *,
        bug: str | None = None,
        options: Mapping[str, Json] | None = None,
        seed: int = 0,
        objects: str | None = None,
        disk: FaultyDisk | None = None,
        clock: FakedClock | None = None,
        points: Sequence[str] | None = None,
    ) -> None:
        if bug is not None and bug not in system.bugs:
            known = ", ".join(sorted(system.bugs)) or "none"
            raise ValueError(f"{system.name} has no bug {bug!r}; it has {known}")
        self.name: Final = system.name
        self.disk = disk
        self.clock = clock
        self.options: Final[Mapping[str, Json]] = dict(options or {})
        self.points: Final = tuple(system.points if points is None else points)
        self._system = system
        self._program = program
        self._bug = bug
        self._seed = seed
        self._objects = objects
        self._hosts: dict[str, Host] = {}
        self._python: dict[str, tuple[list[str], dict[str, str]]] = {}
        self._lives: dict[str, int] = {}
        self._heard: dict[str, int] = {}
        self._clients = count(1)

    async def install(self, host: Host) -> None:
        """Find a Python there that has momus; `Unsupported` if there is none.

        Hosts that share the driver's files use its Python.
        """
        ours = ([sys.executable, "-P", "-s"], {"PYTHONPATH": str(_ROOT)})
        if host.kind in _SHARED:
            self._python[host.name] = ours
            return
        for python, env in (ours, (["python3", "-P", "-s"], {})):
            settings = [f"{name}={value}" for name, value in env.items()]
            found = await host.run(
                ["env", *settings, *python, "-c", "import simulation.real._node"],
                check=False,
                timeout_s=_INSTALL_TIMEOUT_S,
            )
            if found.code == 0:
                self._python[host.name] = python, env
                return
        raise Unsupported(host.name, "its python3 has no momus", "pip install momus there")

    async def setup(self, hosts: Sequence[Host]) -> None:
        """A fresh cluster on these hosts; returns when all nodes are healthy."""
        self._hosts = {host.name: host for host in hosts}
        self._lives.clear()
        self._heard.clear()
        await asyncio.gather(*map(self._fresh, hosts))
        await asyncio.gather(*map(self.start, hosts))
        await self.ready(_READY_TIMEOUT_S)

    async def _fresh(self, host: Host) -> None:
        await self.install(host)
        await host.stop(self.name)
        if self.disk is not None:
            await self.disk.start(host)
        await self.wipe(host)
        await host.run(["rm", "-f", "--", self._path(host, "told.jsonl")])
        await host.write(self._path(host, "json"), self._config(host).written())

    def _config(self, host: Host) -> Config:
        return Config(
            program=self._program,
            node=host.name,
            peers={
                name: (each.address, each.port(WORLD_PORT)) for name, each in self._hosts.items()
            },
            admin=host.port(ADMIN_PORT),
            data=self._data(host),
            told=self._path(host, "told.jsonl"),
            bug=self._bug,
            options=dict(self.options),
            objects=self._objects,
            seed=self._seed,
        )

    async def teardown(self) -> None:
        """Stop every node and wipe its data."""
        outcomes = await asyncio.gather(
            *map(self._end, self._hosts.values()), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _end(self, host: Host) -> None:
        await host.stop(self.name)
        await self.wipe(host)
        if self.disk is not None:
            await self.disk.stop(host)

    async def start(self, host: Host) -> None:
        """Start the node with the data it has; does nothing if it runs."""
        await self.start_with(host)

    async def start_with(self, host: Host, *, crash_at: Sequence[tuple[str, int]] = ()) -> None:
        """Start the node, to die when it passes one of these points for the n-th time."""
        if await host.alive(self.name):
            return
        life = self._lives[host.name] = self._lives.get(host.name, 0) + 1
        python, env = self._python[host.name]
        argv = [*python, "-m", "simulation.real", host.name]
        argv += ["--config", self._path(host, "json"), "--life", str(life)]
        argv += [f"--crash-at={point}:{nth}" for point, nth in crash_at]
        start = host.start if self.clock is None else partial(self.clock.start, host)
        await start(self.name, argv, env=env)

    async def stop(self, host: Host) -> None:
        """End the node by SIGTERM."""
        await host.stop(self.name)

    async def kill(self, host: Host) -> None:
        """SIGKILL."""
        await host.signal(self.name, "KILL")
        deadline = time.monotonic() + _KILL_TIMEOUT_S
        while await host.alive(self.name):
            if time.monotonic() > deadline:
                raise HostError(host.name, f"{self.name} survived SIGKILL", "see /proc there")
            await asyncio.sleep(_POLL_S)

    async def pause(self, host: Host) -> None:
        """SIGSTOP."""
        await host.signal(self.name, "STOP")

    async def resume(self, host: Host) -> None:
        """SIGCONT."""
        await host.signal(self.name, "CONT")

    async def alive(self, host: Host) -> bool:
        """Does the node's process exist?"""
        return await host.alive(self.name)

    async def wipe(self, host: Host) -> None:
        """Remove the node's data."""
        await host.run(["rm", "-rf", "--", self._data(host)])

    def logs(self, host: Host) -> list[str]:
        """The node's log and what it told, if it ever ran, and the log of its disk."""
        ran = host.name in self._lives
        own = [self._path(host, "log"), self._path(host, "told.jsonl")] if ran else []
        return [*own, *(self.disk.logs(host) if self.disk is not None else ())]

    async def ready(self, timeout_s: float = _READY_TIMEOUT_S) -> None:
        """Wait until all nodes say that they are healthy."""
        deadline = time.monotonic() + timeout_s
        while True:
            troubles = await asyncio.gather(*map(self._trouble, self._hosts.values()))
            found = [
                (host, trouble)
                for host, trouble in zip(self._hosts.values(), troubles, strict=True)
                if trouble is not None
            ]
            if not found:
                return
            if time.monotonic() > deadline:
                host, trouble = found[0]
                raise HostError(
                    host.name,
                    f"{self.name} is not ready after {timeout_s:g} s: {trouble}",
                    f"look into {self._path(host, 'log')} on the host",
                )
            await asyncio.sleep(_POLL_S)

    async def _trouble(self, host: Host) -> str | None:
        """Why the node is not ready; None if it is."""
        try:
            health = await self.ask(host, "/admin/health")
        except LookupError:
            return None  # it has no health to tell of, but it is there
        except OSError as error:
            if not await host.alive(self.name):
                return "its process has ended"
            return str(error) or type(error).__name__
        healthy = isinstance(health, dict) and health.get("healthy") is not False
        return None if healthy else f"unhealthy: {json.dumps(health)[:200]}"

    async def ask(self, host: Host, path: str) -> Json:
        """What the node answers to `GET path`; `OSError`, or LookupError for a strange path."""
        return await self._request(host, path, None)

    async def arm(self, host: Host, point: str, nth: int = 1) -> None:
        """Let the node die when it passes this crash point for the n-th time from now."""
        await self._request(host, "/admin/crash-at", {"point": point, "nth": nth})

    async def order(self, host: Host, path: str, order: dict[str, Json]) -> Json:
        """What the node answers to `POST path`; one that it refuses has an ``error``.

        `OSError`, or LookupError for an order that there is not.
        """
        return await self._request(host, path, order)

    async def news(self, host: Host) -> list[dict[str, Json]]:
        """What the node told since this was asked last; `OSError` if it does not answer.

        Of one that has ended, or told very much, it is read from the file in which that stands.
        """
        heard = self._heard.get(host.name, 0)
        try:
            said = await self._request(host, f"/admin/told/{heard}", None)
            told, count = _news(said)
        except OSError as error:
            gone = isinstance(error, BadResponse) or not await host.alive(self.name)
            if not gone or host.name not in self._lives:
                raise
            lines = (await host.read(self._path(host, "told.jsonl"))).split(b"\n")[:-1]
            told, count = [json.loads(line) for line in lines[heard:]], max(heard, len(lines))
        self._heard[host.name] = count
        return [{key: each[key] for key in each if key not in _OF_PROCESS} for each in told]

    async def _request(self, host: Host, path: str, order: Json) -> Json:
        port = host.port(ADMIN_PORT)
        connection = Connection(lambda: host.dial(port), f"{host.address}:{port}")
        try:
            if order is None:
                answer = await connection.get(path, timeout_s=_ASK_TIMEOUT_S)
            else:
                body = json.dumps(order).encode()
                answer = await connection.post(path, body, timeout_s=_ASK_TIMEOUT_S)
        finally:
            await connection.close()
        if answer.status == 404:
            raise LookupError(path)
        if answer.status not in (200, _REFUSED):
            raise BadResponse(f"HTTP {answer.status}: {answer.body[:200]!r}")
        said: Json = json.loads(answer.body)
        return said

    async def observe(self, host: Host) -> dict[str, Json]:
        """What the node tells of its state; raises `OSError` if it does not answer."""
        try:
            said = await self.ask(host, "/admin/state")
        except LookupError:
            said = await self.ask(host, "/admin/process")
        return said if isinstance(said, dict) else {"state": said}

    async def told_time(self, host: Host) -> float:
        """What the node holds for the time of day, in seconds since 1970; `OSError` if silent."""
        said = await self.ask(host, "/admin/process")
        wall = said.get("wall") if isinstance(said, dict) else None
        if not isinstance(wall, float):
            raise BadResponse(f"no time of day: {said!r:.100}")
        return wall

    async def primaries(self) -> list[str]:
        """The hosts whose node holds itself for a leader or primary of anything."""
        hosts = self._hosts.values()
        states = await asyncio.gather(*map(self.observe, hosts), return_exceptions=True)
        return [
            host.name
            for host, state in zip(hosts, states, strict=True)
            if isinstance(state, dict) and _leads(state)
        ]

    def client(self, *, scenario: str = "", case: Case | None = None, **_: Any) -> RealClient:
        """The system's own client, over TCP; `case` is what it may want to know of the run.

        Without one it learns the `scenario`, if there is one, the seed and the bug.
        """
        chosen = case or Case(self.name, scenario, self._seed, self._bug)
        return RealClient(
            self._system, chosen, tuple(self._hosts), self._dial, lambda: f"c{next(self._clients)}"
        )

    async def _dial(self, node: str) -> Any:
        host = self._hosts[node]
        return await host.dial(host.port(WORLD_PORT))

    def _data(self, host: Host) -> str:
        top = host.directory if self.disk is None else self.disk.data(host)
        return posixpath.join(top, f"{self.name}.data")

    def _path(self, host: Host, ending: str) -> str:
        return posixpath.join(host.directory, f"{self.name}.{ending}")


def _leads(state: Mapping[str, Json]) -> bool:
    shards = state.get("shards")
    roles = [state, *(shards.values() if isinstance(shards, dict) else ())]
    return any(isinstance(each, dict) and each.get("role") in _LEADING for each in roles)


def _news(said: Any) -> tuple[list[dict[str, Json]], int]:
    try:
        return list(said["told"]), int(said["count"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadResponse(f"no news: {said!r:.100}") from error
