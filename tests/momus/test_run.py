"""A run from plan to verdict, of a register that lives in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import checker
import reports
from cluster import Host
from generators import play
from histories import Op, Store
from momus._assembly import system_of
from momus._cli import cli
from momus._exits import Refusal
from momus._plan import Plan


class Toy:
    """One register per key, perfect unless told otherwise."""

    name = "toy"
    definite: tuple[type[BaseException], ...] = ()

    def __init__(self) -> None:
        self.values: dict[Any, Any] = {}
        self.hosts: Sequence[Host] = ()
        self.on_setup: Callable[[], None] = lambda: None
        self.on_teardown: Callable[[], None] = lambda: None
        self.on_invoke: Callable[[Op], Op | None] = lambda _op: None

    async def install(self, host: Host) -> None: ...

    async def setup(self, hosts: Sequence[Host]) -> None:
        self.hosts = hosts
        for host in hosts:
            await host.write(f"{host.directory}/toy.log", b"hello from the node\n")
        self.on_setup()

    async def teardown(self) -> None:
        self.on_teardown()

    async def start(self, host: Host) -> None: ...
    async def stop(self, host: Host) -> None: ...
    async def kill(self, host: Host) -> None: ...
    async def pause(self, host: Host) -> None: ...
    async def resume(self, host: Host) -> None: ...
    async def alive(self, _host: Host) -> bool:
        return True

    async def wipe(self, host: Host) -> None: ...

    def logs(self, host: Host) -> list[str]:
        return [f"{host.directory}/toy.log"]

    async def ready(self, timeout_s: float) -> None: ...

    def client(self, **_options: Any) -> ToyClient:
        return ToyClient(self)


class ToyClient:
    """A client of the toy; it answers after a moment, atomically."""

    definite: tuple[type[BaseException], ...] = ()

    def __init__(self, toy: Toy) -> None:
        self.toy = toy

    async def open(self, _node: str) -> ToyClient:
        return self

    async def setup(self) -> None: ...
    async def teardown(self) -> None: ...
    async def close(self) -> None: ...

    async def invoke(self, op: Op) -> Op:
        await asyncio.sleep(0.001)
        answer = self.toy.on_invoke(op)
        if answer is not None:
            return answer
        values = self.toy.values
        match op.f:
            case "read":
                return op.ok(values.get(op.key))
            case "write":
                values[op.key] = op.value
                return op.ok(op.value)
        expected, new = op.value
        matches = values.get(op.key) == expected
        if matches:
            values[op.key] = new
        return op.ok(op.value if matches else False)


@pytest.fixture
def drawn_toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Toy:
    """The toy is the system of all plans, and the current folder is fresh."""
    system = Toy()
    monkeypatch.setattr("momus._conduct.system_of", lambda _plan: system)
    monkeypatch.chdir(tmp_path)
    return system


@pytest.fixture
def toy(drawn_toy: Toy, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """The same without pictures, which take longer than the runs."""

    def render(_history: Any, _verdict: Any, path: Path, **_: Any) -> Path:
        path.write_text("<html>")
        return path

    monkeypatch.setattr(reports, "render", render)
    monkeypatch.setattr(reports, "plots", lambda *_: ())
    return drawn_toy


def run(*options: str) -> Result:
    short = ("--local", "--faults", "none", "--time-limit", "0.5", "--seed", "7", "--quiet")
    return CliRunner().invoke(cli, ["run", "etcd", *short, *options])


def answer(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def broken(what: str) -> Callable[[], None]:
    def act() -> None:
        raise RuntimeError(what)

    return act


def test_a_run_leaves_everything_in_its_folder(drawn_toy: Toy) -> None:
    result = run("--json")
    found = answer(result)
    assert result.exit_code == 0
    assert (found["valid"], found["seed"], found["troubles"]) == (True, 7, [])
    assert found["operations"] > 20
    folder = Path(found["run"])
    for name in (
        "test.json",
        "history.parquet",
        "results.json",
        "report.html",
        "momus.log",
        "plots/rate.png",
    ):
        assert (folder / name).stat().st_size > 0
    assert (folder / "nodes/n1/toy.log").read_text() == "hello from the node\n"
    assert (Path("store/latest")).resolve() == folder.resolve()
    run_ = Store("store").latest()
    assert run_.meta["seed"] == 7
    assert run_.meta["model"] == "cas-register"
    assert run_.results()["valid"] is True
    assert not list(Path(drawn_toy.hosts[0].directory).parent.glob("*"))


@pytest.mark.usefixtures("toy")
def test_the_stored_run_can_be_judged_again() -> None:
    run()
    result = CliRunner().invoke(cli, ["check", "store/latest", "--json"])
    assert answer(result)["valid"] is True
    assert any("as the history says of itself" in note for note in answer(result)["notes"])


@pytest.mark.usefixtures("toy")
def test_people_are_told_the_verdict_the_places_and_how_to_run_it_again() -> None:
    lines = run().stdout.splitlines()
    assert lines[0].startswith("VALID  etcd-register")
    assert any(line.startswith("  report:  store/") for line in lines)
    assert any("momus run etcd" in line and "--seed 7" in line for line in lines)


def test_a_stale_read_makes_the_run_invalid(toy: Toy) -> None:
    toy.on_invoke = lambda op: op.ok("from nowhere") if op.f == "read" else None
    result = run("--json")
    assert result.exit_code == 1
    assert "from nowhere" in answer(result)["failures"][0]["sentence"]


def test_a_run_in_which_nothing_succeeded_is_vacuous(toy: Toy) -> None:
    toy.on_invoke = lambda op: op.fail("refused")
    result = run("--json")
    assert result.exit_code == 3
    assert answer(result)["unknown"]["cause"] == "vacuous"
    assert CliRunner().invoke(cli, ["check", "store/latest"]).exit_code == 3


def test_trouble_in_the_teardown_costs_neither_history_nor_verdict(toy: Toy) -> None:
    toy.on_teardown = broken("the power went out")
    result = run("--json")
    assert result.exit_code == 0
    assert answer(result)["valid"] is True
    assert answer(result)["troubles"] == ["could not stop toy: the power went out"]
    assert "the power went out" in Path("store/latest/momus.log").read_text()


def test_a_setup_that_fails_breaks_the_run_and_keeps_the_logs(toy: Toy) -> None:
    toy.on_setup = broken("no space left")
    result = run()
    assert result.exit_code == 4
    assert "could not set up toy on n1, n2, n3: no space left" in result.stderr
    assert "Traceback" not in result.stderr
    assert Path("store/latest/nodes/n1/toy.log").exists()
    assert "Traceback" in Path("store/latest/momus.log").read_text()


def test_a_run_that_breaks_off_is_judged_but_never_valid(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*arguments: Any, **options: Any) -> Any:
        outcome = await play(*arguments, **options)
        return replace(outcome, error=OSError("the lab is on fire"), stage="load")

    monkeypatch.setattr("momus._conduct.play", breaks)
    result = run("--json")
    assert result.exit_code == 4
    assert "the lab is on fire" in result.stderr
    found = answer(result)
    assert found["valid"] == "unknown"
    assert found["unknown"]["cause"] == "harness"
    assert found["operations"] > 20
    toy.on_invoke = lambda op: op.ok("from nowhere") if op.f == "read" else None
    assert run().exit_code == 1


@pytest.mark.usefixtures("toy")
def test_a_checker_that_breaks_leaves_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "linearizable", lambda *_a, **_k: broken("bug")())
    result = run("--json")
    assert result.exit_code == 3
    assert answer(result)["unknown"]["cause"] == "harness"
    assert "momus check" in answer(result)["unknown"]["remedy"]
    assert len(Store("store").latest().history()) > 20


@pytest.mark.parametrize(
    "options",
    [
        ["--workload", "dance"],
        ["--reads", "eventually"],
        ["--faults", "earthquake"],
        ["--faults", "partition"],
        ["--hosts", "lab.toml"],
        ["--faults", "partition", "--nodes", "1"],
        ["--time-limit", "0"],
    ],
)
@pytest.mark.usefixtures("toy")
def test_a_plan_that_makes_no_sense_is_refused_before_anything_is_made(options: list[str]) -> None:
    result = run(*options)
    assert result.exit_code == 2
    assert not Path("store").exists()


def test_a_plan_knows_the_faults_of_proxies_and_puts_proxies_in_front_for_them() -> None:
    plan = Plan("etcd", lab="local", faults=("kill", "latency"), proxy=Path("/opt/toxiproxy"))
    system: Any = system_of(plan.settled())
    assert system.front is not None
    assert "--faults kill,latency" in plan.command()
    assert "--proxy /opt/toxiproxy" in plan.command()
    usual: Any = system_of(Plan("etcd"))
    assert usual.front is None


def test_a_plan_leaves_nodes_spare_where_a_fault_needs_them() -> None:
    def members(nodes: int, *faults: str) -> int:
        return Plan("etcd", nodes=nodes, faults=faults).settled().members

    assert [members(nodes, "member-grow") for nodes in (2, 3, 4, 5, 6, 7)] == [1, 2, 3, 3, 5, 5]
    assert members(5, "member-remove", "kill") == 5
    plan = Plan("etcd", nodes=5, members=3, binary=Path("/opt/etcd")).settled()
    assert "--members 3 --binary /opt/etcd" in plan.command()
    with pytest.raises(Refusal, match=r"member-grow needs a spare node; try --nodes 4"):
        Plan("etcd", nodes=3, members=3, faults=("member-grow",)).settled()
    with pytest.raises(Refusal, match=r"3 nodes have no 4 members"):
        Plan("etcd", nodes=3, members=4).settled()


def test_a_plan_knows_whether_there_is_something_to_upgrade_to() -> None:
    with pytest.raises(Refusal, match=r"upgrade needs a newer program; try --upgrade-to"):
        Plan("etcd", faults=("kill", "upgrade")).settled()
    plan = Plan("etcd", faults=("upgrade",), upgrade_to=Path("/opt/etcd-3.6")).settled()
    assert "--upgrade-to /opt/etcd-3.6" in plan.command()
    assert plan.meta()["upgrade_to"] == "/opt/etcd-3.6"


def test_runs_are_listed_newest_first(toy: Toy) -> None:
    run()
    toy.on_invoke = lambda op: op.ok("from nowhere") if op.f == "read" else None
    run("--reads", "serializable")
    listed = CliRunner().invoke(cli, ["list"]).stdout.splitlines()
    assert listed[0].split() == ["time", "test", "verdict", "operations", "duration"]
    assert "etcd-register-serializable" in listed[1]
    assert "INVALID" in listed[1]
    assert "VALID" in listed[2]
    rows = json.loads(CliRunner().invoke(cli, ["list", "--json"]).stdout)
    assert [row["valid"] for row in rows] == [False, True]
    assert rows[0]["operations"] > 20
    assert 0 < rows[0]["seconds"] < 5


@pytest.mark.usefixtures("toy")
def test_a_damaged_run_is_listed_as_such_and_never_judged() -> None:
    run()
    results = Path("store/latest/results.json")
    content = bytearray(results.read_bytes())
    content[len(content) // 2] ^= 1
    results.write_bytes(content)
    history = Path("store/latest/history.parquet")
    content = bytearray(history.read_bytes())
    content[len(content) // 2] ^= 1
    history.write_bytes(content)
    [row] = json.loads(CliRunner().invoke(cli, ["list", "--json"]).stdout)
    assert row["state"] == "corrupt"
    assert "CORRUPT" in CliRunner().invoke(cli, ["list"]).stdout
    result = CliRunner().invoke(cli, ["check", "store/latest", "--json"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "history.parquet" in result.stderr


def test_an_empty_store_is_no_error_but_a_missing_one_is(tmp_path: Path) -> None:
    assert CliRunner().invoke(cli, ["list", "--store", str(tmp_path)]).exit_code == 0
    missing = str(tmp_path / "nowhere")
    assert CliRunner().invoke(cli, ["list", "--store", missing]).exit_code == 2
    assert CliRunner().invoke(cli, ["heal", "--store", missing]).exit_code == 2
    assert CliRunner().invoke(cli, ["heal", "--store", str(tmp_path)]).exit_code == 0
