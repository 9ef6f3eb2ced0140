"""Runs that prove nothing, from their saved histories: why, by `momus check`, and what is near."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from histories import Recorder
from momus._assembly import WORKLOADS
from momus._cli import cli
from momus._plan import Plan
from momus._run import meta_of

S = 1_000_000_000
NODES = ("n1", "n2", "n3")
Step = tuple[float, Any, str, str, Any, Any, str | None]


class Run:
    """A run of three clients, each on a node of its own, two of which write and one reads."""

    def __init__(self, until: float = 20.0, clients: int = 3) -> None:
        self.steps: list[Step] = []
        self.until = until
        self.clients = clients
        self.answer: Callable[[float, int], str] = lambda _at, _client: "ok"

    def fault(self, name: str, start: float, stop: float) -> Run:
        for at, word in ((start, "start"), (stop, "stop")):
            for moment, kind in ((at - 0.05, "invoke"), (at, "ok")):
                self.steps.append((moment, "nemesis", kind, f"{word}-{name}", None, None, None))
        return self

    def ends(self, answer: Callable[[float, int], str]) -> Run:
        """How the operation of a client ends that begins at a time: ok, fail or info."""
        self.answer = answer
        return self

    def load(self) -> list[Step]:
        """An operation of each client each half second."""
        found: list[Step] = []
        process = list(range(self.clients))
        for tick in range(round(2 * self.until)):
            for client in range(self.clients):
                at = tick / 2 + client / 100
                f = "read" if client == 2 else "write"
                value = None if f == "read" else tick
                kind = self.answer(at, client)
                who, node = process[client], NODES[client]
                found.append((at, who, "invoke", f, f"k{client}", value, node))
                found.append((at + 0.4, who, kind, f, f"k{client}", value, node))
                if kind == "info":
                    process[client] += self.clients
        return found

    def saved(self, path: Path, **plan: Any) -> Path:
        """The history as a run leaves it."""
        meta = meta_of(
            Plan(
                **{"faults": ("kill",), "time_limit_s": 19.0, **plan},
                system="etcd",
                lab="local",
                seed=1,
            ).settled()
        )
        with Recorder(path, meta) as recorder:
            for at, process, kind, f, key, value, node in sorted(
                [*self.steps, *self.load()], key=lambda step: step[0]
            ):
                recorder.record(round(at * S) + 1, process, kind, f, key, value, None, node)  # type: ignore[arg-type]
        return path


def checked(path: Path, *words: str) -> tuple[int, str, str]:
    """Exit code, cause and sentence."""
    done = CliRunner().invoke(cli, ["check", str(path), "--json", *words])
    found = json.loads(done.stdout)
    unknown = found.get("unknown", {"cause": "", "sentence": ""})
    return done.exit_code, unknown["cause"], unknown["sentence"]


def test_a_run_that_shows_something_is_valid(tmp_path: Path) -> None:
    run = Run().fault("kill", 5, 8)
    assert checked(run.saved(tmp_path / "h.jsonl")) == (0, "", "")


@pytest.mark.parametrize("ending", ["fail", "info"])
def test_every_operation_failed(tmp_path: Path, ending: str) -> None:
    run = Run().fault("kill", 5, 8).ends(lambda _at, _client: ending)
    code, cause, sentence = checked(run.saved(tmp_path / "h.jsonl"))
    assert (code, cause) == (3, "vacuous")
    assert sentence == (
        "No operation of any client succeeded (all 120 failed or were left in doubt), so there "
        "is nothing to judge."
    )


@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_operation_failed_whatever_the_checkers_say(tmp_path: Path, workload: str) -> None:
    """Checkers have reasons of their own, but this is the one that helps."""
    path = tmp_path / "h.jsonl"
    plan = Plan("etcd", workload=workload, lab="local", faults=(), seed=1).settled()
    f = {"bank": "read", "lock": "acquire", "log": "poll", "watch": "watch"}.get(workload, "read")
    f = "generate" if workload == "unique-ids" else f
    with Recorder(path, meta_of(plan)) as to:
        for number in range(40):
            at = number * S // 10
            to.record(at + 1, number % 4, "invoke", f, None, None, None, "n1")
            to.record(at + S // 20, number % 4, "fail", f, None, None, "refused", "n1")
    code, cause, sentence = checked(path)
    assert (code, cause) == (3, "vacuous")
    assert sentence.startswith("No operation of any client succeeded (all 40 failed")


@pytest.mark.parametrize(("start", "stop"), [(20.5, 23.0)])
def test_the_faults_never_overlapped_the_load(tmp_path: Path, start: float, stop: float) -> None:
    run = Run().fault("kill", start, stop)
    code, cause, sentence = checked(run.saved(tmp_path / "h.jsonl"))
    assert (code, cause) == (3, "vacuous")
    assert sentence == "The fault kill struck once, but never while a client was at work."


def test_what_was_never_answered_is_no_load_under_a_later_fault(tmp_path: Path) -> None:
    """One client hangs from the third second on; the load is over when the fault strikes."""
    run = Run().fault("kill", 20.5, 23.0)
    for at in (23.5, 24.0):
        for kind in ("invoke", "ok"):
            moment = at if kind == "invoke" else at + 0.1
            run.steps.append((moment, 9, kind, "read", "k9", None, "n1"))
    run.steps.append((3.0, 10, "invoke", "write", "k9", 1, "n1"))
    code, _, sentence = checked(run.saved(tmp_path / "h.jsonl"))
    assert code == 3
    assert sentence == "The fault kill struck once, but never while a client was at work."


def test_the_faults_that_were_planned_never_began(tmp_path: Path) -> None:
    code, cause, sentence = checked(Run().saved(tmp_path / "h.jsonl"))
    assert (code, cause) == (3, "vacuous")
    assert sentence == "The run was to have faults (kill), but none began."
    assert checked(tmp_path / "h.jsonl", "--minimums", "window=0")[0] == 0
    calm = Run().saved(tmp_path / "calm.jsonl", faults=())
    assert checked(calm)[0] == 0
    ended = Run().saved(tmp_path / "ended.jsonl", time_limit_s=60.0)
    assert checked(ended)[0] == 0, "somebody ended it early"


def test_a_fault_that_met_one_operation_counts(tmp_path: Path) -> None:
    run = Run().fault("kill", 19.9, 23.0)
    assert checked(run.saved(tmp_path / "h.jsonl"))[0] == 0


def test_a_single_client(tmp_path: Path) -> None:
    run = Run(clients=1)
    code, cause, sentence = checked(run.saved(tmp_path / "h.jsonl", concurrency=1, faults=()))
    assert (code, cause) == (3, "vacuous")
    assert sentence.startswith("Successes are those of 1 client at a time, where 2 are the least")
    enough = checked(tmp_path / "h.jsonl", "--minimums", "clients=1")
    assert enough == (0, "", ""), "somebody wants it so"


@pytest.mark.parametrize("ending", ["fail", "info"])
def test_a_node_that_is_wedged(tmp_path: Path, ending: str) -> None:
    """n3 answers until a fault elsewhere, and never again."""
    run = Run().fault("kill", 5, 8)
    run.ends(lambda at, client: ending if client == 2 and at > 6 else "ok")
    code, cause, sentence = checked(run.saved(tmp_path / "h.jsonl"))
    assert (code, cause) == (3, "vacuous")
    assert sentence.startswith("Node n3 is wedged: nothing succeeded there after")


def test_a_node_that_is_wedged_while_faults_hardly_ever_rest(tmp_path: Path) -> None:
    run = Run()
    for start in range(2, 20, 3):
        run.fault("kill", start, start + 2)
    run.ends(lambda at, client: "info" if client == 2 and at > 4 else "ok")
    code, _, sentence = checked(run.saved(tmp_path / "h.jsonl"))
    assert code == 3
    assert sentence.startswith("Node n3 is wedged")


def test_a_node_that_comes_back_is_not_wedged(tmp_path: Path) -> None:
    run = Run().fault("kill", 5, 8)
    run.ends(lambda at, client: "info" if client == 2 and 5 < at < 17 else "ok")
    assert checked(run.saved(tmp_path / "h.jsonl")) == (0, "", "")


def test_a_node_that_never_took_part(tmp_path: Path) -> None:
    run = Run().fault("kill", 5, 8).ends(lambda _at, client: "fail" if client == 1 else "ok")
    code, _, sentence = checked(run.saved(tmp_path / "h.jsonl"))
    assert code == 3
    assert sentence.startswith("Of 40 operations on node n2 0 succeeded")
