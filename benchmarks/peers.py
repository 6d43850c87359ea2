"""Other people's trainers, each installed into a folder of its own.

A peer never enters this project's environment: its folder goes in front of the path of its own
process alone. Everything below the trainer (torch, transformers, peft) is then the same for both
sides.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TRL_WITH_PPO = "1.12.0"  # the last release with a PPO trainer
TRL_CURRENT = "1.16.0"  # as of November 2026


def trl(version: str) -> Path:
    """The folder that holds this release of TRL and nothing else, installed if need be."""
    from rlhf_lab.models.sources import cache_directory

    target = cache_directory() / "peers" / f"trl-{version}"
    if (target / "trl").is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="installing-") as scratch:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        done = subprocess.run(
            [*command, "--target", f"{scratch}/site", f"trl=={version}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(
                f"trl=={version} could not be installed into {target}: "
                f"{done.stderr.strip()[-500:]}\nConnect to a network once; after that the "
                "benchmark runs offline."
            )
        os.replace(f"{scratch}/site", target)
    return target
