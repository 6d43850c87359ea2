from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_store_is_filled_and_measured():
    """In a process of its own: it forks, which a process with torch's threads must not."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.store", "--sizes", "1000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert [size["judgments"] for size in found["sizes"]] == [1000]
    for size in found["sizes"]:
        assert {t["figure"] for t in size["targets"]} == {
            "next_item_ms", "upcoming_ms", "open_s", "export_rows_per_s"
        }  # fmt: skip
        assert size["next_item_ms"] > 0
        assert size["peak_mb"] > 10
        assert size["import_rows_per_s"] > 0
