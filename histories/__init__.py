"""What happened: events, histories, the recorder, file formats, the run store."""

from histories._event import NEMESIS, OBSERVER, Event, EventType, Json, Op, Process

__all__ = ["NEMESIS", "OBSERVER", "Event", "EventType", "Json", "Op", "Process"]
