"""Simulated systems by name: ours, those of installed packages, and those of anybody's module."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, cast

from simulation.scenario import System

SYSTEMS: Final[Mapping[str, str]] = {
    "raftkv": "simulation.raftkv:SYSTEM",
    "register": "simulation.register:SYSTEM",
}

GROUP: Final = "momus.systems"

_PARTS: Final = ("name", "bugs", "scenarios", "points", "program", "client")


def names() -> list[str]:
    """The systems that can be asked for by a name alone, sorted."""
    ours = {name for name, where in SYSTEMS.items() if _is_there(where.partition(":")[0])}
    return sorted(ours | {point.name for point in entry_points(group=GROUP)})


def system_of(spec: str) -> System:
    """The system of this name, or of ``package.module:name``, seen from the current folder.

    A package brings one by an entry point of the group ``momus.systems``:

        [options.entry_points]                       # in its setup.cfg
        momus.systems =
            zoo = my_zoo.simulated:SYSTEM

    What stands there is a `System`, or is called without arguments to make one.  Raises
    ValueError that says what to try.
    """
    if ":" in spec:
        return _checked(spec, _found(spec))
    if spec in SYSTEMS and spec in names():
        return _checked(spec, _found(SYSTEMS[spec]))
    for point in _brought(spec):
        try:
            return _checked(spec, point.load())
        except (ImportError, AttributeError) as error:
            raise ValueError(f"the system {spec} of an installed package fails: {error}") from error
    raise ValueError(
        f"there is no system {spec!r}; there are {', '.join(names())}, "
        "or name one of your own, as my_package.my_module:SYSTEM"
    )


def _brought(name: str) -> Iterator[EntryPoint]:
    return iter(entry_points(group=GROUP, name=name))


def _found(spec: str) -> Any:
    """What a module has under a name; modules of the current folder are found, too."""
    module_name, _, name = spec.partition(":")
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = import_module(module_name)
    except Exception as error:  # a module of the user's own may raise anything
        raise ValueError(
            f"{module_name} cannot be imported: {type(error).__name__}: {error}; "
            "try it from the folder that it is in"
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise ValueError(f"{module_name} has no {name!r}; try the name of a System in it")
        found = getattr(found, part)
    return found


def _checked(spec: str, found: Any) -> System:
    if not hasattr(found, "scenarios") or isinstance(found, type):
        if not callable(found):
            raise ValueError(
                f"{spec} is no System; see docs/simulation-tutorial.md for what one has"
            )
        found = found()
    missing = [part for part in _PARTS if not hasattr(found, part)]
    if missing:
        raise ValueError(f"{spec} is no System: it has no {', '.join(missing)}")
    return cast(System, found)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
