"""The fingerprint of a host: all that a fault could leave behind, as data to compare.

`fingerprint` looks from inside the host, by a program of its own (`fingerprint_program`),
which asks the kernel and not momus.  `differences` tells in words what is not as it was;
an empty list is the proof that everything was undone.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cluster import Host, HostError
from tests.lab import fingerprint_program

_PROGRAM: Final = Path(fingerprint_program.__file__).read_bytes()
_TIMEOUT_S: Final = 60.0
_CLOCK_SLACK_MS: Final = 50.0
"""How far two looks at an honest clock may differ beyond what the network explains."""
_FREQUENCY_SLACK_PPM: Final = 20.0
_CLOCK_LOOKS: Final = 3
_POLL_S: Final = 0.1

Fingerprint = Mapping[str, Any]


async def fingerprint(
    host: Host, *, directories: Sequence[str] = (), marks: Sequence[str] = (), ignore: str = ""
) -> Fingerprint:
    """All that a fault could leave on `host`.

    The names below `directories` belong to it, and whatever bears one of the `marks` (run
    ids) in the places where all programs put files and control groups.  What matches `ignore`
    in the commands of processes, or is the whole name of a file, does not count.
    """
    request = json.dumps({"directories": list(directories), "marks": list(marks)})
    look = ["python3", "-I", "-S", "-", request]
    while True:
        done = await host.run(look, input=_PROGRAM, timeout_s=_TIMEOUT_S)
        told: dict[str, Any] = json.loads(done.stdout)
        if not any(" tentative" in each for each in told["addresses"]):
            break  # else the kernel still tries a new address for being taken, for a second or two
        await asyncio.sleep(_POLL_S)
    if ignore:
        told["processes"] = sorted(re.sub(ignore, "", each) for each in told["processes"])
        told["listing"] = [each for each in told["listing"] if not re.fullmatch(ignore, each)]
    looks = [await _clock_offset(host) for _ in range(_CLOCK_LOOKS)]
    least, most = max(low for low, _ in looks), min(high for _, high in looks)
    told["clock"] |= {"least_ms": least, "most_ms": most}
    return told


async def _clock_offset(host: Host) -> tuple[float, float]:
    """Between how many ms the host's clock is ahead of ours, for a message takes time."""
    sent = time.time_ns()
    there = int((await host.run(["date", "+%s%N"])).text)
    return (there - time.time_ns()) / 1e6, (there - sent) / 1e6


async def fingerprints(hosts: Sequence[Host], **what: Any) -> dict[str, Fingerprint]:
    """The fingerprints of all hosts, by name; `what` as in `fingerprint`."""
    looks = (fingerprint(host, **what) for host in hosts)
    return dict(zip((host.name for host in hosts), await asyncio.gather(*looks), strict=True))


def differences(before: Fingerprint, after: Fingerprint) -> list[str]:
    """What is not as it was, a line each."""
    found: list[str] = []
    for part in sorted(before.keys() | after.keys()):
        was, now = before.get(part), after.get(part)
        found += _clocks(was, now) if part == "clock" else _differences(part, was, now)
    return found


async def await_as_before(
    before: Mapping[str, Fingerprint],
    hosts: Sequence[Host],
    *,
    within_s: float = 20.0,
    **what: Any,
) -> list[str]:
    """What is still not as it was after this time, since some things end by themselves.

    The kernel needs a moment to end things, and what is strained in a control group may be
    at it for some seconds after its driver died.
    """
    deadline = time.monotonic() + within_s
    while True:
        left: list[str] = []
        for host in hosts:
            try:
                now = await fingerprint(host, **what)
                left += [f"{host.name}: {each}" for each in differences(before[host.name], now)]
            except HostError as error:
                left.append(str(error))
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(_POLL_S)


def _clocks(was: Any, now: Any) -> list[str]:
    """Two looks agree where both may have seen the same offset, or nearly so."""
    apart = max(was["least_ms"] - now["most_ms"], now["least_ms"] - was["most_ms"])
    found = [] if apart <= _CLOCK_SLACK_MS else [f"clock: it was set, by {apart:.0f} ms or more"]
    if abs(was["frequency"] - now["frequency"]) > _FREQUENCY_SLACK_PPM:
        found.append(f"clock: its frequency was {was['frequency']} ppm, is {now['frequency']}")
    for what in ("tick", "offsets"):
        found += _differences(f"clock {what}", was[what], now[what])
    return found


def _differences(where: str, was: Any, now: Any) -> list[str]:
    if isinstance(was, dict) and isinstance(now, dict):
        return [
            each
            for key in sorted(was.keys() | now.keys())
            for each in _differences(f"{where} {key}", was.get(key), now.get(key))
        ]
    if isinstance(was, list) and isinstance(now, list):
        gone, come = Counter(was) - Counter(now), Counter(now) - Counter(was)
        found = [f"{where}: gone: {each}" for each in gone.elements()]
        found += [f"{where}: new: {each}" for each in come.elements()]
        return found or ([] if was == now else [f"{where}: the order has changed"])
    return [] if was == now else [f"{where}: was {was!r}, is {now!r}"]
