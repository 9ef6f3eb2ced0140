"""``momus run --replay RUN``: the same load under the very faults that a recorded run had.

Every choice of the nemesis is in the history, so the orders are taken from there and given
again at the same times: same nodes, same grudges, same attributes.  Everything else is as
the run's own plan says.  What the system does about it is its own affair, as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from momus._exits import Refusal
from momus._plan import PROGRAMS, Plan
from momus._whereabouts import Whereabouts

if TYPE_CHECKING:
    from histories import Event, Run

OWN_OPTIONS = frozenset(
    {"system", "replay", "lab", "hosts", "seed", "store", "as_json", "quiet"}
    | {"user", "key", "port", "jump", "sudo", "known_hosts", "host_keys", "ssh_config"}
)
"""What may be said beside --replay; the rest is the recorded run's."""


def plan_again(
    run: Run, system: str, *, hosts: Whereabouts | None, seed: int | None, store: Path
) -> Plan:
    """The plan of a recorded run, with its faults to be replayed; `Refusal` where it has none.

    The seed decides what clients do, and is the run's own unless given.
    """
    meta = run.meta
    known = {each.name for each in fields(Plan)} - {"hosts", "store", "replay", "script"}
    given: dict[str, Any] = {name: meta[name] for name in known if name in meta}
    if "system" not in given:
        raise Refusal(f"{run.path} was not made by momus run, so there is no plan to replay")
    if given["system"] != system:
        raise Refusal(
            f"{run.path} is a run of {given['system']}, not of {system}; "
            f"try momus run {given['system']} --replay {run.path}"
        )
    if given.get("lab") == "hosts" and hosts is None:
        raise Refusal("that run was on hosts; try the same --lab or --hosts with --replay")
    if hosts is not None:
        given |= {"lab": "hosts", "nodes": len(hosts.read())}
        if given["nodes"] != meta.get("nodes"):
            raise Refusal(
                f"that run had {meta.get('nodes')} nodes, these are {given['nodes']}; "
                "try as many hosts"
            )
    given["faults"] = tuple(given.get("faults", ()))
    given["weights"] = tuple(given.get("weights", {}).items())
    given["minimums"] = tuple(given.get("minimums", {}).items())
    if meta.get("in_turns"):  # as older runs say it
        given["schedule"] = "turns"
    given |= {name: Path(given[name]) if given.get(name) else None for name in PROGRAMS}
    given["seed"] = given["seed"] if seed is None else seed
    return Plan(**given, hosts=hosts, store=store, replay=run.path)


def orders_of(path: Path) -> Sequence[Event]:
    """What the nemesis was told in a recorded run, in order."""
    from histories import NEMESIS, Run

    return [event for event in Run(path).history().of_process(NEMESIS) if event.type == "invoke"]
