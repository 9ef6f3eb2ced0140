"""The admin surface in the simulated world: the same answers, without the sockets."""

import asyncio

import pytest

from histories import Json
from simulation import SimulatedCluster, World, run


async def counting(world: World) -> None:
    """Counts the messages it gets, and tells how many."""
    heard: list[str] = []
    world.network.listen(lambda sender, _: heard.append(sender))

    def answer(path: str) -> Json:
        return {"/admin/state": {"heard": len(heard)}}[path]

    world.serve(answer)
    await world.forever()


def test_a_node_answers_as_long_as_it_lives_and_knows_the_path() -> None:
    async def scenario() -> None:
        cluster = SimulatedCluster(["n1"], counting, 1)
        cluster.start()
        await asyncio.sleep(1)
        cluster.endpoint("client").send("n1", b"hello")
        await asyncio.sleep(1)
        assert cluster.answer("n1", "/admin/state") == {"heard": 1}
        with pytest.raises(LookupError):
            cluster.answer("n1", "/admin/nothing")
        cluster.machines["n1"].pause()
        with pytest.raises(OSError, match="no answer"):
            cluster.answer("n1", "/admin/state")
        cluster.machines["n1"].kill()
        with pytest.raises(OSError, match="no process"):
            cluster.answer("n1", "/admin/state")

    run(scenario())
