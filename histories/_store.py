"""The run store: one folder per run, `store/<test>/<start time>/`, and `store/latest`.

A run folder holds `test.json` (what was to be done), `history.jsonl` while the run is on,
`history.parquet` once it is sealed, `results.json` once it is judged, and whatever else
belongs to the run: `report.html`, `plots/`, `nodes/<node>/`, `faults.jsonl`, `momus.log`.

Every file appears whole or not at all, and the history and the JSON documents carry
checksums: a damaged file raises `CorruptHistory` and is never judged.  Many processes may
use one store.  The process that created a run holds a lock on its folder until it calls
`release` or dies, so a run that nobody works on any more is known as crashed.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from histories._event import Json
from histories._files import is_locked, locked, read_sealed, sync_folder, write_sealed
from histories._flaws import HistoryError, RecorderMisuse
from histories._history import History
from histories._recorder import Recorder

State: TypeAlias = Literal["running", "sealed", "judged", "crashed"]

_LATEST: Final = "latest"
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_TRIES_MAX: Final = 1_000


class Run:
    """One run folder.

    `Run(path)` opens an existing folder; `Store.create` makes one.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Final = Path(path)
        self._lock: int | None = None
        if not self.path.is_dir():
            raise HistoryError("no such run folder; `momus list` shows the runs", path=str(path))

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.path.resolve() == other.path.resolve()

    def __hash__(self) -> int:
        return hash(self.path.resolve())

    @property
    def meta(self) -> dict[str, Json]:
        """What `test.json` says; raises `CorruptHistory` if it was damaged."""
        return read_sealed(self.path / "test.json")

    @property
    def name(self) -> str:
        """`<test>/<start time>`, by which `Store.find` finds it."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def log(self) -> Path:
        """Where the harness logs."""
        return self.path / "momus.log"

    @property
    def faults(self) -> Path:
        """The journal of faults."""
        return self.path / "faults.jsonl"

    @property
    def report(self) -> Path:
        """Where the HTML report goes."""
        return self.path / "report.html"

    @property
    def plots(self) -> Path:
        """The folder for plots; it exists."""
        return self._folder("plots")

    def node_folder(self, node: str) -> Path:
        """The folder for the logs of a node; it exists."""
        return self._folder(f"nodes/{_folder_name(node)}")

    def _folder(self, name: str) -> Path:
        folder = self.path / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def state(self) -> State:
        """Judged if there are results, else sealed if there is a Parquet history, else
        running if its process lives and crashed if not."""
        if (self.path / "results.json").exists():
            return "judged"
        if (self.path / "history.parquet").exists():
            return "sealed"
        return "running" if self._is_locked() else "crashed"

    def recorder(self) -> Recorder:
        """A recorder into `history.jsonl`, with the run's meta data as its header."""
        return Recorder(self.path / "history.jsonl", self.meta)

    def history(self) -> History:
        """The history: sealed if it is sealed, else what is durable of the recording.

        Raises `HistoryError` if there is none, `CorruptHistory` if it was damaged.
        """
        for name in ("history.parquet", "history.jsonl"):
            if (self.path / name).exists():
                return History.read(self.path / name)
        raise HistoryError("the run has no history; it ended before it began", path=str(self.path))

    def seal(self) -> History:
        """Turn the recording into `history.parquet`; a crash leaves one of the two, whole."""
        parquet, recording = self.path / "history.parquet", self.path / "history.jsonl"
        if is_locked(recording):
            raise RecorderMisuse(f"{recording} is being recorded; close its recorder first")
        history = self.history()
        if not parquet.exists():
            history.write_parquet(parquet)
        sealed = History.read(parquet)
        if len(sealed) != len(history):
            raise HistoryError(
                f"{len(sealed)} events where {len(history)} were written; the disk lies, "
                "the recording was kept",
                path=str(parquet),
            )
        recording.unlink(missing_ok=True)
        sync_folder(self.path)
        return sealed

    def write_results(self, verdict: Mapping[str, Json]) -> None:
        """Write `results.json`, with a checksum of its own."""
        write_sealed(self.path / "results.json", verdict)

    def results(self) -> dict[str, Any]:
        """The results as written; raises `CorruptHistory` if any byte of them changed."""
        return read_sealed(self.path / "results.json")

    def release(self) -> None:
        """This process is done with the run."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _hold(self) -> None:
        self._lock = locked(self.path / ".lock")

    def _is_locked(self) -> bool:
        if self._lock is not None:
            return True
        return is_locked(self.path / ".lock")


class Store:
    """A folder of runs; it need not exist yet."""

    def __init__(self, root: str | os.PathLike[str] = "store") -> None:
        self.root: Final = Path(root)

    def create(self, test_name: str, meta: Mapping[str, Json] | None = None) -> Run:
        """Make a run folder that nobody else has, with `test.json` in it.

        `name` and `started` (UTC) are added to the meta data; `latest` then points here.
        """
        started = datetime.now(UTC)
        folder = self.root / _folder_name(test_name)
        folder.mkdir(parents=True, exist_ok=True)
        run = Run(_made(folder, started.strftime("%Y%m%dT%H%M%S.%fZ")))
        run._hold()
        document = {"name": test_name, "started": started.isoformat(), **(meta or {})}
        write_sealed(run.path / "test.json", document)
        sync_folder(folder)
        self._point_latest(run)
        return run

    def runs(self) -> list[Run]:
        """All runs, the oldest first."""
        documents = self.root.glob("*/*/test.json")
        folders = (path.parent for path in documents if not path.parent.is_symlink())
        return [Run(path) for path in sorted(folders, key=lambda path: (path.name, str(path)))]

    def latest(self) -> Run:
        """The run that was created last; raises `HistoryError` if there is none."""
        link = self.root / _LATEST
        if link.exists():
            return Run(link.resolve())
        runs = self.runs()
        if not runs:
            raise HistoryError("the store has no runs; `momus run` makes one", path=str(self.root))
        return runs[-1]

    def find(self, spec: str | os.PathLike[str]) -> Run:
        """The run meant by `latest`, a folder, `<test>/<start>`, `<test>` (its newest) or a
        beginning of a start time that only one run has."""
        text = os.fspath(spec)
        if text == _LATEST:
            return self.latest()
        for path in (Path(text), self.root / text):
            if (path / "test.json").exists():
                return Run(path)
        runs = self.runs()
        of_test = [run for run in runs if run.path.parent.name == _folder_name(text)]
        if of_test:
            return of_test[-1]
        begun = [run for run in runs if run.path.name.startswith(text) or run.name.startswith(text)]
        if len(begun) == 1:
            return begun[0]
        what = f"{len(begun)} runs match {text!r}" if begun else f"no run matches {text!r}"
        raise HistoryError(f"{what}; `momus list` shows the runs", path=str(self.root))

    def _point_latest(self, run: Run) -> None:
        temporary = self.root / f".{_LATEST}.{secrets.token_hex(4)}"
        temporary.symlink_to(run.path.relative_to(self.root), target_is_directory=True)
        os.replace(temporary, self.root / _LATEST)
        sync_folder(self.root)


def _folder_name(name: str) -> str:
    """A name that is safe as a folder, close to the one given."""
    safe = _UNSAFE.sub("-", name).strip(".-")
    if not safe or safe == _LATEST:
        raise HistoryError(f"{name!r} cannot name a folder of the store; use letters and digits")
    return safe[:100]


def _made(folder: Path, start: str) -> Path:
    """A new folder; runs that start in the same microsecond are numbered."""
    for number in range(_TRIES_MAX):
        path = folder / (start if number == 0 else f"{start}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise HistoryError(f"{_TRIES_MAX} runs began at {start}; look at the clock", path=str(folder))
