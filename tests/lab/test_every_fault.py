"""Every fault there is, on five SSH hosts with a real etcd: it works, and leaves nothing.

The table of faults says what is tried here, so one that is added to it is tried, too.  All
take minutes, so usually only `QUICK` ones are.
"""

from __future__ import annotations

from typing import Final

import pytest

from histories import Op
from momus._faults import KINDS
from tests.lab.conftest import Stage, in_groups

QUICK: Final = frozenset({"kill", "pause", "partition", "latency"})


def each_kind() -> list[object]:
    """All faults, as parameters."""
    return [
        pytest.param(kind, marks=() if kind in QUICK else pytest.mark.slow)
        for kind in in_groups(list(KINDS))
    ]


@pytest.mark.parametrize("kind", each_kind())
def test_a_fault_has_good_receipts_and_leaves_every_host_as_it_was(stage: Stage, kind: str) -> None:
    async def scenario() -> None:
        nemesis, fault, system = await stage.nemesis(kind)
        await stage.look()
        try:
            order = stage.order(fault)
            struck = await nemesis.invoke(Op(f"start-{kind}", order))
            assert (struck.type, struck.error) == ("ok", None), struck.value
            assert struck.value["receipt"]["ok"] is True
            healed = await nemesis.invoke(Op(f"stop-{kind}"))
            assert (healed.type, healed.error) == ("ok", None), healed.value
            assert healed.value["receipt"]["ok"] is True
        finally:
            await nemesis.teardown()
        await system.ready()
        assert await stage.left() == []

    stage.run(scenario())
