"""Longer histories of sets, versions and logs: the monitors beside the general search."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from checker import linearizable, verify
from checker._models import MODELS
from histories import Event, History
from tests.checker.bruteforce import Operation
from tests.checker.random_histories import Client, Object
from tests.checker.test_logs_agree import SEEN as LOG
from tests.checker.test_sets_agree import ELEMENTS, GROWING
from tests.checker.test_versions_agree import SEEN as VERSIONS

THINGS = {"versions": VERSIONS, "elements": ELEMENTS, "growing": GROWING, "log": LOG}


def played(random: Random, thing: Object, operations: int, lies: int) -> History:
    """Six clients of one object, 1 in 20 operations in doubt; `lies` answers are drawn."""
    clients = [Client(process) for process in range(6)]
    state, events, left = thing.initial, list[Event](), operations

    def record(client: Client, kind: Any, value: Any) -> None:
        time = len(events)
        events.append(Event(time, time, client.process, kind, client.f, None, value))

    while busy := [client for client in clients if client.step != "idle" or left]:
        client = random.choice(busy)
        if client.step == "idle":
            left -= 1
            client.f = random.choice(thing.functions)
            client.argument = thing.argument(random, client.f)
            client.step = "invoked"
            client.ends = "info" if random.random() < 0.05 else "ok"
            record(client, "invoke", client.argument)
        elif client.step == "invoked":
            client.answer = thing.says(random, state, client)
            if client.ends == "ok" or random.random() < 0.5:
                state = stepped(thing, state, client)
            if lies and left < operations // 2 and client.ends == "ok":
                lies -= 1
                client.answer = thing.answer(random, client.f)
            client.step = "effected"
        else:
            client.step = "idle"
            told = thing.told(random, client) if client.ends == "ok" else client.argument
            record(client, client.ends, told)
            if client.ends == "info":
                client.process += 6
    return History.from_events(events)


def stepped(thing: Object, state: Any, client: Client) -> Any:
    done = Operation(0, client.f, client.argument, client.answer, 0, 0, client.process)
    legal, after = thing.step(state, done)
    assert legal
    return after


@pytest.mark.parametrize("name", THINGS)
def test_monitors_agree_with_the_general_search(name: str) -> None:
    thing, verdicts = THINGS[name], []
    model = MODELS[thing.model](None)
    for seed in range(24):
        history = played(Random(f"{name} {seed}"), thing, 200, 12 * (seed % 2))
        monitor = linearizable(history, model, core=False)
        general = linearizable(history, model, algorithm="jit", core=False, time_limit_s=20)
        assert monitor.valid in (general.valid, "unknown") or general.valid == "unknown", seed
        assert monitor.valid != "unknown", seed
        verdicts.append(monitor.valid)
        if monitor.valid is True:
            assert verify(history, replace(model, native=None), monitor.certificates) is None, seed
    assert verdicts.count(True) >= 8
    assert verdicts.count(False) >= 4, verdicts
