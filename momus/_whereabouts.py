"""Where a run finds hosts that are there already: a lab file, or addresses, and how to log in.

What ``lab.toml`` says at its top can be said by options as well, which are stronger; with
``--hosts`` no file is needed at all.  The options are declared here once, for every command
that goes to such hosts, and a `Whereabouts` knows how to say itself again on a command line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from momus._exits import Refusal

if TYPE_CHECKING:
    from cluster import Settings

_F = TypeVar("_F", bound=Callable[..., Any])

_FLAGS: Final = ("user", "key", "port", "jump", "sudo", "known_hosts", "host_keys", "ssh_config")
_FILES: Final = ("key", "known_hosts", "ssh_config")


@dataclass(frozen=True)
class Whereabouts:
    """A lab file or addresses, one of both; and settings as in the file, stronger than it."""

    lab: Path | None = None
    hosts: tuple[str, ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()

    def read(self) -> list[Settings]:
        """The hosts; raises `Refusal` where file or options make no sense."""
        from cluster import LabFileError, hosts_at, read_hosts, refuse_impossible

        flags = dict(self.settings)
        try:
            found = hosts_at(self.hosts, flags) if self.lab is None else read_hosts(self.lab, flags)
            refuse_impossible(found)
            return found
        except LabFileError as error:
            raise Refusal(str(error)) from error

    def words(self) -> list[str]:
        """The options that say this again."""
        words = ["--lab", str(self.lab)] if self.lab is not None else []
        words += ["--hosts", ",".join(self.hosts)] if self.hosts else []
        for name, value in self.settings:
            option = f"--{name.replace('_', '-')}"
            words += [option] if value is True else [option, str(value)]
        return words


def whereabouts(lab: Path | None, hosts: str | None, given: Mapping[str, Any]) -> Whereabouts:
    """What the options say; raises `Refusal` where they contradict each other.

    A lab file behind ``--hosts`` is taken for one, as it always was.
    """
    if hosts is not None and lab is None and Path(hosts).is_file():
        lab, hosts = Path(hosts), None
    if (lab is None) == (hosts is None):
        raise Refusal("name the hosts once; try --lab lab.toml, or --hosts a,b,c")
    names = tuple(each.strip() for each in (hosts or "").split(",") if each.strip())
    settings = tuple(
        (name, str(Path(value).absolute()) if name in _FILES and value != "none" else value)
        for name in _FLAGS
        if (value := given.get(name)) not in (None, False)
    )
    return Whereabouts(lab, names, settings)


def taken_from(options: dict[str, Any]) -> Whereabouts | None:
    """Take the options declared here out of a command's; None if no hosts are named."""
    lab, hosts = options.pop("lab"), options.pop("hosts")
    given = {name: options.pop(name) for name in _FLAGS}
    if lab is None and hosts is None:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in _FLAGS if given[name])
        if named:
            raise Refusal(f"{named} is about SSH hosts; try --lab lab.toml, or --hosts a,b,c")
        return None
    return whereabouts(lab, hosts, given)


def login_options(command: _F) -> _F:
    """The options by which a command learns how to log in; a lab file may say all of it."""
    file = click.Path(exists=True, dir_okay=False)
    for option in reversed(
        [
            click.option("--user", metavar="NAME", help="Log in as this user."),
            click.option("--key", type=file, metavar="FILE", help="With this private key."),
            click.option("--port", type=click.IntRange(1, 65535), help="sshd's port."),
            click.option("--jump", metavar="USER@HOST:PORT", help="By way of this host."),
            click.option("--sudo", is_flag=True, help="What needs root goes through sudo -n."),
            click.option(
                "--known-hosts", type=click.Path(dir_okay=False), metavar="FILE", help="Host keys."
            ),
            click.option(
                "--host-keys",
                type=click.Choice(("strict", "accept-new")),
                help="Refuse unknown host keys (the default), or remember them.",
            ),
            click.option("--ssh-config", metavar="FILE", help="OpenSSH's configuration, or none."),
        ]
    ):
        command = option(command)
    return command
