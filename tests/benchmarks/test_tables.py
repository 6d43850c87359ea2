from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_tables_are_filled_and_measured():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.tables", "--rows", "400", "--repeat", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {(one["table"], one["act"]): one for one in json.loads(done.stdout.splitlines()[-1])}
    assert found["responses", "open"]["rows"] == 400
    assert found["responses", "search, a rare word"]["rows"] == 1  # every 5,000th has it
    assert found["responses", "filter by version"]["rows"] == 80
    assert found["judgments", "open"]["rows"] == 100
    assert all(one["ms"] > 0 for one in found.values())
