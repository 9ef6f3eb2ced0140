"""Campaigns on the workers of a Dask scheduler."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulation import Case, NoScheduler, results_by_dask
from simulation._player import result_of_case
from simulation.register import SYSTEM

distributed = pytest.importorskip(
    "distributed", reason="Dask is not installed: pip install 'momus[dask]'"
)


@pytest.fixture
def scheduler() -> Iterator[str]:
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    )
    try:
        yield cluster.scheduler_address
    finally:
        cluster.close(timeout=20)


def test_dask_finds_what_this_process_finds(scheduler: str) -> None:
    cases = [Case("register", "crash", seed, "no-sync") for seed in range(2)]
    with results_by_dask(scheduler, cases) as results:
        found = {result.case.seed: result.digest for result in results}
    assert found == {case.seed: result_of_case(case, SYSTEM).digest for case in cases}


def test_without_a_scheduler_it_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulation._dask._CONNECT_LIMIT_S", 1)
    with (
        pytest.raises(NoScheduler, match="no Dask scheduler answers at tcp"),
        results_by_dask("tcp://127.0.0.1:9", []),
    ):
        pass
