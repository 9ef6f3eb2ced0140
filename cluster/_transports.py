"""Ways to reach hosts, and how to add one.

A lab file names a `transport`; without one it is SSH.  Ours are ``ssh`` and ``command``
(`cluster._command`); any installed package may bring more, by an entry point of the group
``momus.transports``:

    [options.entry_points]                       # in its setup.cfg
    momus.transports =
        chroot = momus_chroot:ChrootHost

What stands there is called as ``make(name, options, directory, journal)``, `options` being
all that the lab file says of the host besides its name, directory and transport, and gives
the host.  It is most easily a subclass of `PosixHost`, which asks for six methods (`run`,
`upload`, `download`, `dial`, `spec`, `capabilities`) and brings daemons, files, signals and the
journal.  ``spec()`` must give at least ``{"kind": TRANSPORT, "name", "directory", "options"}``,
for `momus heal` makes the host again from it, in another process.
"""

from __future__ import annotations

import contextlib
import posixpath
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, Final, Protocol

from cluster._command import CommandHost
from cluster._host import HostSpec
from cluster._journal import Journal
from cluster._labfile import LabFileError, Settings, SshSettings
from cluster._posix import PosixHost, at_work
from cluster._ssh import SshHost

GROUP: Final = "momus.transports"


class Transport(Protocol):
    """Makes a host; raises `ValueError` where the options make no sense."""

    def __call__(
        self, name: str, options: Mapping[str, Any], directory: str, journal: Journal | None
    ) -> PosixHost: ...


def transport(name: str) -> Transport:
    """The transport of this name; raises `ValueError` if nobody brings it."""
    if name == CommandHost.kind:
        return CommandHost
    for entry in entry_points(group=GROUP, name=name):
        try:
            found: Transport = entry.load()
        except Exception as error:  # a stranger's module may raise anything
            raise ValueError(
                f"the transport {name!r} of {entry.value} cannot be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error
        return found
    known = sorted({"ssh", CommandHost.kind, *entry_points(group=GROUP).names})
    raise ValueError(f"no transport {name!r} is installed; there are {', '.join(known)}")


def host_at(settings: Settings) -> PosixHost:
    """One host, not yet greeted, in the directory of its settings; raises as `lab` does."""
    return _made(settings, settings.directory, None)


def refuse_impossible(hosts: Sequence[Settings]) -> None:
    """Raise `LabFileError` for a transport that nobody brings, or that refuses its options."""
    for each in hosts:
        if not isinstance(each, SshSettings):
            _made(each, each.directory, None)


def foreign_host(spec: HostSpec) -> PosixHost:
    """The host again, from the spec of a host whose kind is the name of a transport."""
    return transport(spec["kind"])(spec["name"], spec["options"], spec["directory"], None)


@contextlib.asynccontextmanager
async def lab(
    hosts: Sequence[Settings], *, journal: Journal | None = None, keep: bool = False
) -> AsyncIterator[list[PosixHost]]:
    """Hosts that are there already, whatever reaches them, all at once.

    On each host a directory of our own is made, and removed in the end unless told to `keep`
    it.  Daemons that still run then are stopped.  Raises `LabFileError` for a transport that
    nobody brings or that refuses its options.
    """
    run = journal.run if journal else "lab"
    unique = f"momus-{run}-{uuid.uuid4().hex[:8]}"
    made = [
        _made(each, posixpath.join(each.directory, f"{unique}-{each.name}"), journal)
        for each in hosts
    ]
    async with at_work(made, run, keep=keep):
        yield made


def _made(settings: Settings, directory: str, journal: Journal | None) -> PosixHost:
    if isinstance(settings, SshSettings):
        return SshHost(settings, directory, journal=journal)
    try:
        make = transport(settings.transport)
        return make(settings.name, settings.options, directory, journal)
    except ValueError as error:
        raise LabFileError(str(error)) from error
