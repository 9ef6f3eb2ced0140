"""Drivers killed amid mixed faults: a few of the deaths that tests/soak/heals.py plays."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from cluster import Unsupported
from tests.lab.conftest import Stage
from tests.lab.deaths import Variant
from tests.lab.fingerprint import fingerprints
from tests.lab.foreign import plant, uproot
from tests.soak.heals import in_namespaces, one_on_ssh


@pytest.mark.parametrize(
    "variant", ["sshd", *(pytest.param(each, marks=pytest.mark.slow) for each in ("heal", "two"))]
)
def test_heal_restores_every_host_and_spares_what_is_somebody_elses(
    stage: Stage, tmp_path: Path, variant: Variant
) -> None:
    async def scenario() -> None:
        await stage.forget()  # its ports are wanted
        await plant(stage.hosts)
        try:
            tops = [str(stage.lab.lab_toml.parent)]
            before = await fingerprints(stage.hosts, directories=tops)
            told = await one_on_ssh(
                stage.lab, stage.hosts, before, tmp_path, stage.random, variant, "fronted"
            )
        finally:
            await uproot(stage.hosts)
        print(told)
        assert told.wrong == []

    stage.run(scenario())


def test_nothing_is_left_on_this_machine_of_hosts_that_ended_with_their_driver(
    stage: Stage, tmp_path: Path
) -> None:
    seed = Random(stage.seed).randrange(10**6)
    try:
        tally = stage.run(in_namespaces(1, seed, tmp_path))
    except Unsupported as error:
        pytest.skip(str(error))
    assert tally.bad == 0
