"""Labs for the tests of the cluster room: the same hosts in every kind there is."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from cluster import Host, Journal, Unsupported, local, namespaces, ssh
from cluster._sshlab import ssh_lab

KINDS = ("netns", "local", "ssh")
Labs = Callable[..., AbstractAsyncContextManager[list[Host]]]


@pytest.fixture
def labs(tmp_path: Path) -> Labs:
    """``async with labs(kind, n) as hosts``; skips the test where the kind is unsupported."""

    @contextlib.asynccontextmanager
    async def open_lab(
        kind: str, n: int = 1, journal: Journal | None = None
    ) -> AsyncIterator[list[Host]]:
        async with contextlib.AsyncExitStack() as stack:
            try:
                lab: Any
                if kind == "netns":
                    lab = namespaces(n, directory=tmp_path, journal=journal)
                elif kind == "local":
                    lab = local(n, directory=tmp_path, journal=journal)
                else:
                    below = await stack.enter_async_context(ssh_lab(n, directory=tmp_path))
                    lab = ssh(below.lab_toml, journal=journal)
                hosts: list[Host] = await stack.enter_async_context(lab)
            except Unsupported as error:
                pytest.skip(str(error))
            yield hosts

    return open_lab
