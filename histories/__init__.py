"""What happened: events, histories, the recorder, file formats, the run store.

with Recorder("history.jsonl", {"name": "etcd", "seed": 7}) as recorder:
    recorder.record(1200, 3, "invoke", "write", "x", 1)
    recorder.record(1900, 3, "ok", "write", "x", 1)
history = History.read("history.jsonl")
"""

from histories._event import NEMESIS, OBSERVER, Event, EventType, Json, Op, Process
from histories._files import write_whole
from histories._flaws import CorruptHistory, HistoryError, RecorderFailed, RecorderMisuse
from histories._history import FAIL, INFO, INVOKE, OK, TYPES, History
from histories._json import canonical
from histories._lint import Finding, lint
from histories._lint_lines import lint_file
from histories._recorder import Recorder
from histories._shapes import Items, Shapes, items_of, shapes_of, texts_at
from histories._store import Run, Store
from histories._texts import Texts
from histories._values import UnclearShape, Values, column, constant
from histories._windows import FaultWindow, fault_windows
from histories._writing import write

__all__ = [
    "FAIL",
    "INFO",
    "INVOKE",
    "NEMESIS",
    "OBSERVER",
    "OK",
    "TYPES",
    "CorruptHistory",
    "Event",
    "EventType",
    "FaultWindow",
    "Finding",
    "History",
    "HistoryError",
    "Items",
    "Json",
    "Op",
    "Process",
    "Recorder",
    "RecorderFailed",
    "RecorderMisuse",
    "Run",
    "Shapes",
    "Store",
    "Texts",
    "UnclearShape",
    "Values",
    "canonical",
    "column",
    "constant",
    "fault_windows",
    "items_of",
    "lint",
    "lint_file",
    "shapes_of",
    "texts_at",
    "write",
    "write_whole",
]
