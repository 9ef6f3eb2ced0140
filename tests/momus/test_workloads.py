"""Each workload on a real etcd: it is valid, and is not when a client lies.

All share one cluster, since they keep to keys of their own.  What a client that lies would have
recorded is made of what the honest ones did: one answer is another one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from checker import Verdict
from cluster import Etcd, Host, Journal, Unsupported, etcd_binary, local
from generators import play
from histories import Event, History, Recorder
from momus._assembly import WORKLOADS, assemble
from momus._cli import cli
from momus._judge import Request, judge_history
from momus._plan import Plan
from momus._run import meta_of
from momus._systems import WORKLOADS as NAMES


@dataclass
class Lab:
    """A cluster that is up, and the loop in which it is."""

    runner: asyncio.Runner
    etcd: Etcd
    hosts: list[Host]
    journal: Journal
    directory: Path
    played: dict[str, History]

    def history(self, workload: str) -> History:
        """The history of a second of a workload, played once."""
        if workload not in self.played:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("momus._assembly.SETTLE_S", 0.1)
                self.played[workload] = self.runner.run(self._play(workload))
        return self.played[workload]

    async def _play(self, workload: str) -> History:
        plan = planned(workload)
        test = assemble(plan, self.etcd, self.hosts, self.journal)
        path = self.directory / f"{workload}.jsonl"
        with Recorder(path, meta_of(plan)) as recorder:
            outcome = await play(test, recorder)
        assert outcome.error is None
        return History.read(path)


def planned(workload: str) -> Plan:
    return Plan(
        system="etcd",
        workload=workload,
        lab="local",
        faults=(),
        time_limit_s=1.0,
        rate_hz=150,
        concurrency=6,
        observe_hz=5,
        seed=1,
    ).settled()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Three members without fsync, quick to elect."""
    try:
        etcd_binary()
    except Unsupported as missing:
        pytest.skip(str(missing))
    directory = tmp_path_factory.mktemp("workloads")
    etcd = Etcd(fsync=False, heartbeat_ms=50, election_ms=500)
    with (
        asyncio.Runner() as runner,
        Journal(directory / "faults.jsonl") as journal,
    ):
        opened = local(3, directory=directory, journal=journal)
        hosts: list[Host] = list(runner.run(opened.__aenter__()))
        try:
            runner.run(etcd.setup(hosts))
            yield Lab(runner, etcd, hosts, journal, directory, {})
        finally:
            runner.run(etcd.teardown())
            runner.run(opened.__aexit__(None, None, None))


def judged(history: History, workload: str) -> Verdict:
    """As a run of the workload is judged."""
    return judge_history(history, meta_of(planned(workload)), Request())


def test_every_workload_of_a_plan_is_there() -> None:
    assert tuple(WORKLOADS) == NAMES


@pytest.mark.parametrize("workload", NAMES)
def test_a_workload_is_valid(lab: Lab, workload: str) -> None:
    verdict = judged(lab.history(workload), workload)
    told = {name: (part.valid, part.unknown) for name, part in verdict.parts.items()}
    assert verdict.valid is True, (verdict.unknown, told)
    assert {"availability", "at-most-one-primary:per=term"} <= told.keys()


Lie = Callable[[list[Event]], Event]


def other(event: Event, value: Any) -> Event:
    """The event with another value."""
    return msgspec.structs.replace(event, value=value)


def answers(events: list[Event], f: str) -> list[Event]:
    return [event for event in events if (event.f, event.type) == (f, "ok")]


def an_old_id(events: list[Event]) -> Event:
    first, *_, last = answers(events, "generate")
    return other(last, first.value)


def an_addition_forgotten(events: list[Event]) -> Event:
    last = answers(events, "read")[-1]
    return other(last, last.value - 1)


def an_element_forgotten(events: list[Event]) -> Event:
    acknowledged = answers(events, "add")[0].value
    last = answers(events, "read")[-1]
    return other(last, [each for each in last.value if each != acknowledged])


def money_made(events: list[Event]) -> Event:
    last = answers(events, "read")[-1]
    return other(last, last.value | {"a0": last.value["a0"] + 1})


def a_record_skipped(events: list[Event]) -> Event:
    polled = next(event for event in answers(events, "poll") if len(event.value) > 2)
    return other(polled, [polled.value[0], *polled.value[2:]])


def an_event_left_out(events: list[Event]) -> Event:
    told = next(e for e in answers(events, "watch") if len(e.value["events"]) > 2)
    return other(
        told, told.value | {"events": [told.value["events"][0], *told.value["events"][2:]]}
    )


def a_write_forgotten(events: list[Event]) -> Event:
    for read in reversed(answers(events, "read")):
        if read.value is not None:
            return other(read, -1)
    raise AssertionError("nothing was read")


LIES: dict[str, Lie] = {
    "register": a_write_forgotten,
    "set": an_element_forgotten,
    "unique-ids": an_old_id,
    "counter": an_addition_forgotten,
    "bank": money_made,
    "log": a_record_skipped,
    "watch": an_event_left_out,
}


@pytest.mark.parametrize("workload", LIES)
def test_one_wrong_answer_is_found(lab: Lab, workload: str) -> None:
    events = list(lab.history(workload))
    lied = LIES[workload](events)
    events[lied.index] = lied
    verdict = judged(History.from_events(events), workload)
    assert verdict.valid is False
    own = {name for name, part in verdict.parts.items() if part.valid is False}
    assert own <= {"linearizable", *meta_of(planned(workload))["checkers"]}


def test_a_lock_given_to_two_is_found(lab: Lab) -> None:
    """The refusal that a client was told while another one held the lock becomes a yes."""
    events = list(lab.history("lock"))
    held: dict[Any, Any] = {}
    for place, event in enumerate(events):
        if (event.f, event.type) == ("acquire", "ok"):
            held[event.key] = event.process
        elif (event.f, event.type) == ("release", "invoke"):
            held.pop(event.key, None)
        elif (event.f, event.type) == ("acquire", "fail") and event.key in held:
            events[place] = msgspec.structs.replace(event, type="ok", error=None)
            break
    else:
        raise AssertionError("nobody was refused")
    verdict = judged(History.from_events(events), "lock")
    assert verdict.parts["lock-set:lease_s=5"].valid is False


def test_a_run_of_a_bank_from_the_command_line(tmp_path: Path) -> None:
    words = ["run", "etcd", "--local", "--workload", "bank", "--time-limit", "2", "--observe", "10"]
    words += ["--faults", "none", "--seed", "1", "--store", str(tmp_path), "--json", "--quiet"]
    done = CliRunner().invoke(cli, words)
    found = json.loads(done.stdout)
    assert (done.exit_code, found["valid"], found["troubles"]) == (0, True, []), found
    assert list(found["parts"]) == [
        "bank:total=80",
        "availability",
        "at-most-one-primary:per=term",
        'terms-never-go-back:per=["node","member"]:steady=true',
        "convergence:within_s=2.5",
    ]
    assert "bank:total=80" in Path(found["report"]).read_text()
    again = CliRunner().invoke(cli, ["check", found["run"], "--json"])
    assert json.loads(again.stdout)["parts"].keys() == found["parts"].keys()
    alone = CliRunner().invoke(cli, ["check", found["run"], "--checker", "bank", "--json"])
    assert list(json.loads(alone.stdout)["parts"]) == ["bank"], "what is asked for, and no more"
