"""A real browser opens a report made of hostile values: nothing runs, nothing is fetched."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reports
from checker import Counterexample, Unknown, Verdict
from histories import History

MakeHistory = Callable[..., History]

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_TIMEOUT_S = 90
_PAYLOADS = (
    "<script>document.title='ran'</script>",
    "<img src=http://momus.invalid/a onerror=document.title='ran'>",
    "\"><svg/onload=document.title='ran'><a href='javascript:document.title=1'>",
    "</title></style></script><iframe src=http://momus.invalid/b></iframe>",
    "<style>@import url(http://momus.invalid/c)</style><link rel=x href=http://momus.invalid/d>",
)


def opened(page: Path, scratch: Path) -> tuple[str, str, str]:
    """The document after loading, what the browser logged, and its log of the network."""
    if _CHROMIUM is None:
        pytest.skip("no chromium on PATH")
    network = scratch / "network.json"
    command = [
        _CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        f"--user-data-dir={scratch / 'profile'}",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--enable-logging=stderr",
        f"--log-net-log={network}",
        "--dump-dom",
        page.as_uri(),
    ]
    # A group of its own, so that its helpers end with it.
    browser = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "HOME": str(scratch)},
    )
    try:
        out, log = browser.communicate(timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        pytest.skip(f"chromium did not open a page within {_TIMEOUT_S} s here")
    finally:
        if browser.poll() is None:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
    if b"<html" not in out:
        pytest.skip(f"chromium does not work here: {log[-300:].decode(errors='replace')}")
    return out.decode(), log.decode(errors="replace"), network.read_text(errors="replace")


def test_hostile_values_run_nothing_and_fetch_nothing(history: MakeHistory, tmp_path: Path) -> None:
    mean = " ".join(_PAYLOADS)
    rows: list[tuple[Any, ...]] = [
        (0, "nemesis", "invoke", "start-" + mean, None),
        (1, "nemesis", "ok", "start-" + mean, {"targets": [mean]}),
    ]
    for number, payload in enumerate(_PAYLOADS):
        time = 10 * number + 10
        rows.append((time, number, "invoke", payload, {payload: payload}, mean))
        rows.append((time + 5, number, "ok", payload, [payload], mean))
    h = history(*rows, name=mean, seed=mean, nodes=[mean])
    found = Counterexample(
        mean, mean, 4, tuple(h), (mean,), ({"state": mean, "linearized": [2]},), {mean: mean}
    )
    part = Verdict(False, mean, mean, mean, 1, 1.0, (found,), Unknown("time", mean, mean), (mean,))
    verdict = Verdict(False, mean, notes=(mean,), parts={mean: part})
    page = reports.render(h, verdict, tmp_path / "report.html")

    document, log, network = opened(page, tmp_path)

    assert "<title>Invalid: " in document
    assert "CONSOLE" not in log, [line for line in log.splitlines() if "CONSOLE" in line]
    assert "momus.invalid" not in network


def test_the_same_values_would_run_and_fetch_in_a_careless_page(tmp_path: Path) -> None:
    page = tmp_path / "careless.html"
    page.write_text("<title>new</title>" + " ".join(_PAYLOADS), encoding="utf-8")
    document, _, network = opened(page, tmp_path)
    assert "<title>ran</title>" in document
    assert "momus.invalid" in network
