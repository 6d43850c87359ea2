"""PPO runs in processes of their own, which may be killed at any moment.

They are forked from a clean process that has imported everything, which is much faster than a new
interpreter for each. What kills them is a real SIGKILL.
"""

from __future__ import annotations

import multiprocessing
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from peft import LoraConfig
from transformers import LlamaForCausalLM

from rlhf_lab import Lab, PPOConfig
from tests.lab.labs import SAMPLING

# Used by all of them, and slow to import.
_IMPORTED = (LoraConfig, LlamaForCausalLM)
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])

READY = "ready"
CONFIG = PPOConfig(
    prompts_per_step=2,
    responses_per_prompt=2,
    sampling=SAMPLING,
    minibatches=2,
    epochs=2,
    learning_rate=1e-3,
)


@dataclass(frozen=True)
class Run:
    """A run, and what it tells: that it is ready, then the figures of every whole step."""

    process: BaseProcess
    told: Connection

    def steps(self) -> dict[int, dict[str, float]]:
        """Figures of all steps by number, after it has ended."""
        found: dict[int, dict[str, float]] = {}
        with self.told, suppress(EOFError, OSError):  # an OSError, if killed while it told one
            while True:
                step = self.told.recv()
                found[step["step"]] = step
        self.process.join()
        return found


def start_run(path: Path, last: int) -> Run:
    """A run up to this step of the lab, at whose first step it is now."""
    told, telling = _context.Pipe(duplex=False)
    process = _context.Process(target=_run, args=(path, last, telling), daemon=True)
    process.start()
    telling.close()  # so that the run is the only one who could say more
    assert told.recv() == READY
    return Run(process, told)


def _run(path: Path, last: int, telling: Connection) -> None:
    with Lab(path, sampling=SAMPLING, progress=False) as lab:
        run = lab.ppo(steps=500, config=CONFIG)
        telling.send(READY)
        for stats in run:
            figures = asdict(stats).items()
            telling.send({k: v for k, v in figures if not k.startswith(("seconds", "peak"))})
            if stats.step >= last:
                break
