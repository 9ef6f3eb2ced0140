"""One direction of one connection: a reader, a chain of stages, a writer.

    source > reader > stage (noop) > stage (toxic) > ... > writer > target

The first stage does nothing, so that there is always one to hold the stream back while a
toxic behind it is exchanged.  Toxics come, change and go while bytes are under way; none
is lost and none changes places, except by what the toxic itself does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Final

from cluster.proxy._stub import Channel, Chunk, Interrupted, Stub
from cluster.proxy._toxics import Toxic

READ_BYTES_MAX: Final = 32 * 1024


class Worn:
    """A toxic of a proxy as it is set now; the links of all its connections share it."""

    def __init__(self, name: str, stream: str, toxic: Toxic, toxicity: float) -> None:
        self.name = name
        self.stream = stream
        self.toxic = toxic
        self.toxicity = toxicity


NOOP: Final = Worn("", "", Toxic(), 1.0)


class Link:
    """Moves the bytes of one direction; its stages run from the moment it is made.

    Invariant: `_stages` and `_worn` correspond, one stage for each toxic, and the output
    of each stage is the input of the next.  Once it is `_over` no stage runs any more, and
    orders change nothing.
    """

    def __init__(self, worn: Sequence[Worn], random: Random) -> None:
        self._random = random
        self._worn = [NOOP, *worn]
        self._over = False
        self._runs: dict[Stub, asyncio.Task[None]] = {}
        channels = [Channel(each.toxic.chunks_max) for each in [*self._worn, NOOP]]
        self._stages = [Stub(*each) for each in pairwise(channels)]
        for stage, each in zip(self._stages, self._worn, strict=True):
            self._run(stage, each)

    async def move(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Move everything from `source` to `target`, then close `target`."""
        entrance, exit_ = self._stages[0].input, self._stages[-1].output
        reading = asyncio.create_task(_read(source, entrance))
        try:
            await _write(exit_, target)
        finally:
            self._over = True
            exit_.stop_listening()
            target.transport.abort()  # all is with the kernel; this is the ordinary close
            for task in (reading, *self._runs.values()):
                task.cancel()
            await asyncio.gather(reading, *self._runs.values(), return_exceptions=True)

    async def add(self, worn: Worn) -> None:
        """A toxic more, behind all others."""
        if self._over:
            return
        last = self._stages[-1]
        running = await self._hold(last)
        channel = Channel(worn.toxic.chunks_max)
        stage = Stub(channel, last.output)
        self._stages.append(stage)
        self._worn.append(worn)
        if not running:  # the stream has ended, and its end is on the way already
            stage.closed = True
            return
        last.output = channel
        self._run(last, self._worn[-2])
        self._run(stage, worn)

    async def update(self, worn: Worn) -> None:
        """The attributes of a toxic have changed."""
        if self._over:
            return
        stage = self._stages[self._worn.index(worn)]
        if await self._hold(stage):
            self._run(stage, worn)

    async def remove(self, worn: Worn) -> None:
        """A toxic less; what it held goes on its way."""
        if self._over:
            return
        index = self._worn.index(worn)
        stage, before = self._stages[index], self._stages[index - 1]
        running = await self._hold(stage)
        if running and worn.toxic.closes_when_removed:
            stage.close()
            running = False
        feeding = await self._hold(before)
        del self._stages[index], self._worn[index]
        if not running:  # the stream ended here; what still comes goes nowhere
            if feeding:
                before.close()
            return
        while len(stage.input):
            stage.output.force(stage.input.take())
        if stage.input.closed:
            stage.output.close()
        before.output = stage.output
        if feeding:
            self._run(before, self._worn[index - 1])

    def _run(self, stage: Stub, worn: Worn) -> None:
        if self._over:
            return
        stage.resume()
        toxic = worn.toxic if self._random.random() < worn.toxicity else NOOP.toxic
        self._runs[stage] = asyncio.create_task(_pipe(stage, toxic, self._random))

    async def _hold(self, stage: Stub) -> bool:
        """Interrupt a stage; is its stream still open?"""
        run = self._runs.pop(stage, None)
        if run is not None:
            stage.interrupt()
            await asyncio.wait([run])
            stage.resume()
        return run is not None and not stage.closed


async def _pipe(stage: Stub, toxic: Toxic, random: Random) -> None:
    with contextlib.suppress(Interrupted):
        await toxic.pipe(stage, random)


async def _read(source: asyncio.StreamReader, entrance: Channel) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while data := await source.read(READ_BYTES_MAX):
            while entrance.full:
                await entrance.change()
            entrance.force(Chunk(data, loop.time()))
    entrance.close()


async def _write(exit_: Channel, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while True:
            while not len(exit_):
                if exit_.closed:
                    return
                await exit_.change()
            target.write(exit_.take().data)
            await target.drain()
