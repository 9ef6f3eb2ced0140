"""Every verdict of the reference histories, through the front door."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from momus._cli import cli


def data_folder() -> Path | None:
    named = os.environ.get("MOMUS_SHARED_DATA")
    if named:
        return Path(named)
    for folder in Path(__file__).resolve().parents:
        for candidate in (folder / "shared" / "data",):
            if candidate.is_dir():
                return candidate
    return None


DATA = data_folder()


def cases() -> list[Any]:
    if DATA is None:
        reason = "no ../shared/data here; set MOMUS_SHARED_DATA to the reference histories"
        return [pytest.param("", True, marks=pytest.mark.skip(reason=reason))]
    return [
        pytest.param(f"{source}/{name}", verdict, id=name)
        for source in ("porcupine", "knossos")
        for name, verdict in json.loads((DATA / source / "verdicts.json").read_text()).items()
    ]


@pytest.mark.parametrize(("name", "linearizable"), cases())
def test_reference_history(name: str, linearizable: bool) -> None:
    assert DATA is not None
    result = CliRunner().invoke(cli, ["check", "--json", str(DATA / name)])
    answer = json.loads(result.stdout)
    assert answer["valid"] is linearizable
    assert result.exit_code == (0 if linearizable else 1)
    assert bool(answer["failures"]) is not linearizable
