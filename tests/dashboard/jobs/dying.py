"""Workers that are killed at an exact moment.

They are forked from a clean process that has imported everything, which is much faster than a new
interpreter for each. What kills them is a real SIGKILL: nothing of theirs runs afterwards.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from peft import LoraConfig
from transformers import LlamaForCausalLM

from rlhf_lab.dashboard import worker
from rlhf_lab.store.jobs import Jobs
from rlhf_lab.store.preference_store import PreferenceStore
from rlhf_lab.training import checkpoints
from rlhf_lab.training.ppo import PPOTrainer
from rlhf_lab.training.versions import VersionTree

# Used by all of them, and slow to import.
_IMPORTED = (LoraConfig, LlamaForCausalLM)
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def start_worker(path: Path, moment: str = "") -> BaseProcess:
    """A worker in a process of its own, which is killed at this moment, or by the test."""
    process = _context.Process(target=_work, args=(path, moment), daemon=True)
    process.start()
    return process


def _work(path: Path, moment: str) -> None:
    if moment:
        MOMENTS[moment]()
    worker.NICENESS = 0  # the test waits for it, and may not be alone on the machine
    worker.main([str(path), "--log-level", "error"])


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _before(owner: Any, name: str, nth: int = 1) -> None:
    _wrap(owner, name, nth, lambda real, *a, **k: _die())


def _after(owner: Any, name: str, nth: int = 1) -> None:
    _wrap(owner, name, nth, lambda real, *a, **k: (real(*a, **k), _die()))


def _wrap(owner: Any, name: str, nth: int, instead: Callable[..., Any]) -> None:
    real, calls = getattr(owner, name), []

    def wrapped(*args: Any, **options: Any) -> Any:
        calls.append(1)
        return (instead if len(calls) == nth else lambda r, *a, **k: r(*a, **k))(
            real, *args, **options
        )

    setattr(owner, name, wrapped)


# Of a run of three steps. The checkpoints that are renamed into place before are none.
MOMENTS: dict[str, Callable[[], None]] = {
    "the job is taken": lambda: _after(Jobs, "take"),
    "learning in the second step": lambda: _before(PPOTrainer, "_stats", 2),
    "writing the second step": lambda: _before(checkpoints.os, "rename", 2),
    "the second step is on disk and in no table": lambda: _after(VersionTree, "save_step", 2),
    "all steps are made and no version": lambda: _before(PreferenceStore, "add_version"),
    "the version is there and nobody was told": lambda: _before(Jobs, "finish"),
}
