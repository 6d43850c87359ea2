from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_ten_kills_lose_and_double_nothing(database):
    """In a process of its own: it forks, which a process with torch's threads must not."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.torture", "--kills", "10", "--database", str(database)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["acknowledged"] >= 100
    expected = {"kills": 10, "lost": 0, "duplicated": 0, "altered": 0, "chain": "verified"}
    assert {name: found[name] for name in expected} == expected
