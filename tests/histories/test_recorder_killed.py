"""The recorder is killed at any moment: what it had acknowledged is there, and verifies."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from histories import History

KILLS = 8
SCRIPT = """
import sys
from histories import Recorder

recorder = Recorder(sys.argv[1], {"name": "killed"}, flush_interval_s=0.005)
time = 0
acknowledged = 0
while True:
    for process in range(20):
        time += 1
        recorder.record(time, process, "invoke", "write", "x", [time, "é" * (time % 50)])
        recorder.record(time, process, "ok", "write", "x", [time, "é" * (time % 50)])
    if recorder.durable > acknowledged:
        acknowledged = recorder.durable
        sys.stdout.write(f"{acknowledged}\\n")
        sys.stdout.flush()
"""


def test_no_durable_event_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    for number in range(KILLS):
        path = tmp_path / f"{number}.jsonl"
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(path)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), "the recorder never acknowledged anything"
            time.sleep(moments.uniform(0, 0.1))
        finally:
            process.kill()
            rest = process.communicate(timeout=60)[0].split("\n")
        # The last line may be torn, too.
        acknowledged = max((int(line) for line in rest[:-1]), default=1)
        history = History.read(path)
        assert len(history) >= acknowledged, f"seed {seed}, kill {number}"
        assert history.value.max() < len(history.values)
        assert [event.index for event in history] == list(range(len(history)))
        assert history.meta == {"name": "killed"}
        history.write_parquet(tmp_path / "sealed.parquet")
        assert len(History.read(tmp_path / "sealed.parquet")) == len(history)
