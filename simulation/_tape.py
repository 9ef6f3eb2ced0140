"""The recorder of a simulated run: a list in memory, for a run that cannot die halfway."""

from __future__ import annotations

from collections.abc import Mapping

from histories import Event, EventType, History, Json, Process


class Tape:
    """Keeps every event; see `generators.EventRecorder`."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(
        self,
        time: int,
        process: Process,
        type: EventType,
        f: str,
        key: Json = None,
        value: Json = None,
        error: Json = None,
        node: str | None = None,
    ) -> Event:
        """Record one step."""
        event = Event(len(self.events), time, process, type, f, key, value, error, node)
        self.events.append(event)
        return event

    def history(self, meta: Mapping[str, Json]) -> History:
        """All that was recorded."""
        return History.from_events(self.events, meta)
