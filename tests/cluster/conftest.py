"""Labs for the tests of the cluster room: the same hosts in every kind there is."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from cluster import (
    ForeignSettings,
    Host,
    Journal,
    NamespaceHost,
    Unsupported,
    lab,
    local,
    namespaces,
    ssh,
)
from cluster._sshlab import ssh_lab

KINDS = ("netns", "local", "ssh", "command")
Labs = Callable[..., AbstractAsyncContextManager[list[Host]]]


def behind_a_command(host: NamespaceHost) -> ForeignSettings:
    """The same namespace, as if it were a container that one enters by a command."""
    options = {"command": host.enter, "address": host.address}
    return ForeignSettings(host.name, "command", options, directory=host.directory)


@pytest.fixture
def labs(tmp_path: Path) -> Labs:
    """``async with labs(kind, n) as hosts``; skips the test where the kind is unsupported."""

    @contextlib.asynccontextmanager
    async def open_lab(
        kind: str, n: int = 1, journal: Journal | None = None
    ) -> AsyncIterator[list[Host]]:
        async with contextlib.AsyncExitStack() as stack:
            try:
                opened: Any
                if kind == "netns":
                    opened = namespaces(n, directory=tmp_path, journal=journal)
                elif kind == "local":
                    opened = local(n, directory=tmp_path, journal=journal)
                elif kind == "command":
                    inner = await stack.enter_async_context(namespaces(n, directory=tmp_path))
                    opened = lab([behind_a_command(host) for host in inner], journal=journal)
                else:
                    below = await stack.enter_async_context(ssh_lab(n, directory=tmp_path))
                    opened = ssh(below.lab_toml, journal=journal)
                hosts: list[Host] = await stack.enter_async_context(opened)
            except Unsupported as error:
                pytest.skip(str(error))
            yield hosts

    return open_lab
