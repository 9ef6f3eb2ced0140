"""``momus run --replay``: the faults of a recorded run once more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import momus
from histories import Run, Store
from momus._cli import cli

ORDERS: list[tuple[str, Any]] = [
    ("start-pause", {"targets": ["n1"], "choice": "one"}),
    ("stop-pause", None),
    ("start-down", {"targets": ["n1"], "choice": "one"}),
    ("stop-down", None),
]


PLAN: dict[str, Any] = {
    "system": "etcd",
    "workload": "register",
    "reads": "linearizable",
    "lab": "local",
    "hosts": [],
    "nodes": 1,
    "faults": ["pause", "down"],
    "interval_s": 1.0,
    "time_limit_s": 2.0,
    "rate_hz": 50.0,
    "concurrency": 2,
    "seed": 11,
    "proxy": None,
    "replay": None,
    "model": "cas-register",
}


def record(store: Path, **changes: Any) -> Run:
    """A run of etcd with some orders to the nemesis, as `momus run` leaves it."""
    with Store(store).create("etcd-register", {**PLAN, **changes}) as run:
        with run.recorder() as recorder:
            for number, (f, value) in enumerate(ORDERS):
                at_ns = number * 200_000_000
                recorder.record(at_ns, momus.NEMESIS, "invoke", f, value=value)
                recorder.record(at_ns + 1000, momus.NEMESIS, "ok", f, value=value)
        run.seal()
    return Run(run.path)


@pytest.fixture
def recorded(tmp_path: Path) -> Run:
    return record(tmp_path / "store")


def replay(run: Run, *options: str) -> Result:
    store = str(run.path.parent.parent)
    where = ["--store", store, "--json", "--quiet"]
    return CliRunner().invoke(cli, ["run", "etcd", "--replay", str(run.path), *where, *options])


def test_the_orders_of_the_nemesis_are_given_again(recorded: Run) -> None:
    result = replay(recorded)
    found = json.loads(result.stdout)
    # On a busy machine two seconds under faults may be too few to prove anything.
    assert result.exit_code in (0, 3), found
    assert found["seed"] == 11
    assert found["command"] == f"momus run etcd --replay {recorded.path} --seed 11"
    again = Run(found["run"])
    assert (again.meta["nodes"], again.meta["lab"], again.meta["concurrency"]) == (1, "local", 2)
    assert again.meta["replay"] == str(recorded.path)
    told = [
        (event.f, event.value)
        for event in again.history().of_process(momus.NEMESIS)
        if event.type == "invoke"
    ]
    assert told[: len(ORDERS)] == ORDERS
    assert told[len(ORDERS) :] == [("stop-pause", None), ("stop-down", None)], "the end heals all"


def test_the_rest_is_the_runs_so_other_options_are_refused(recorded: Run) -> None:
    result = replay(recorded, "--rate", "7", "--faults", "kill")
    assert result.exit_code == 2
    assert "takes --faults, --rate from the run" in result.stderr


def test_what_is_no_run_cannot_be_replayed(recorded: Run) -> None:
    result = CliRunner().invoke(cli, ["run", "etcd", "--replay", "yesterday", "--store", "store"])
    assert result.exit_code == 2
    assert "no run matches 'yesterday'" in result.stderr
    with Store(recorded.path.parent.parent).create("by-hand", {}) as run:
        pass
    refused = replay(run)
    assert refused.exit_code == 2
    assert "was not made by momus run" in refused.stderr


def test_a_run_on_hosts_needs_hosts_again(tmp_path: Path) -> None:
    result = replay(record(tmp_path / "store", lab="hosts"))
    assert result.exit_code == 2
    assert "try the same --lab or --hosts" in result.stderr
