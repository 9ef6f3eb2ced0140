"""The reference histories: recorded by others, outside of the project, and optional."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def _found() -> Path | None:
    named = os.environ.get("MOMUS_SHARED_DATA")
    if named:
        return Path(named)
    for folder in Path(__file__).resolve().parents:
        if (folder / "shared" / "data" / "README.md").exists():
            return folder / "shared" / "data"
    return None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of reference histories; tests that need it are skipped without it."""
    folder = _found()
    if folder is None or not folder.is_dir():
        pytest.skip("no reference histories: ../shared/data is missing (or set MOMUS_SHARED_DATA)")
    return folder
