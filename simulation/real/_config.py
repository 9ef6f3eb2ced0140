"""What a node is told when it is started: one JSON file, written by whoever starts it.

    {"program": "simulation.raftkv:program", "node": "n1", "peers": {"n1": ["10.0.0.1", 7400], ...},
     "admin": 7401, "data": "/lab/n1/raftkv.data", "told": "/lab/n1/raftkv.told.jsonl",
     "bug": null, "options": {}, "objects": null, "seed": 7}

Addresses of peers are where the others reach them; a node listens on its own.  The program is
the name of a module and, in it, of a function: called with the names of the nodes, the bug and
the options it gives the `Program`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulation.world import Program


@dataclass(frozen=True)
class Config:
    """A node's place: who it is, where the others are, and where its files are.

    `objects` is the folder that stands for the object store, None for none.
    """

    program: str
    node: str
    peers: dict[str, tuple[str, int]]
    admin: int
    data: str
    told: str
    bug: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    objects: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.node not in self.peers:
            raise ValueError(f"{self.node!r} is none of the peers: {', '.join(self.peers)}")

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of all nodes, in the order they were given."""
        return tuple(self.peers)

    def loaded(self) -> Program:
        """What the node runs; ValueError for a bug or a program that there is not."""
        module, _, name = self.program.partition(":")
        try:
            make = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ValueError(f"there is no program {self.program!r}: {error}") from error
        program: Program = make(self.nodes, self.bug, self.options)
        return program

    def written(self) -> bytes:
        """The file's content."""
        return json.dumps(asdict(self), indent=1).encode()

    @staticmethod
    def read(path: Path) -> Config:
        """From a file; ValueError where it says something else."""
        said = json.loads(path.read_bytes())
        if not isinstance(said, dict):
            raise ValueError(f"{path} does not hold a JSON object")
        try:
            peers = {
                str(name): (str(host), int(port)) for name, (host, port) in said["peers"].items()
            }
            return Config(**{**said, "peers": peers})
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is no configuration of a node: {error}") from error
