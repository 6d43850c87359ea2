"""`Lab`: the one object a notebook needs. It composes the layers below and holds no truth itself.

Everything durable is in the lab directory, so a new kernel that opens it goes on where the last
one stopped. torch is imported when a model is first needed, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rlhf_lab.annotators import RubricAnnotator, check_candidates
from rlhf_lab.errors import ConfigError, LabError
from rlhf_lab.lab.choosing import check_sample
from rlhf_lab.lab.reporting import LabReports
from rlhf_lab.lab.updating import LabUpdates
from rlhf_lab.store import (
    baseline_of,
    choose_prompts,
    heldout_prompts,
    open_or_make_store,
    settle_identity,
)
from rlhf_lab.store.paths import as_folder
from rlhf_lab.types import Annotator, LoraSpec, Sampling, TrainingListener

if TYPE_CHECKING:
    from rlhf_lab.evaluation import EvalReport
    from rlhf_lab.models.collection import Batch


class Lab(LabUpdates, LabReports):
    """A directory with everything one RLHF project needs, and the model that learns in it.

    ```python
    lab = Lab("runs/first")
    lab.add_prompts(load_prompts())
    lab.generate(k=4)
    lab.rank()
    lab.update_reward()
    lab.ppo(steps=8).run()
    lab.evaluate(baseline="policy@0")
    ```
    """

    def __init__(
        self,
        path: str | Path,
        *,
        database: str | Path | None = None,
        model: str | None = None,
        quantize: Literal["nf4", "none"] | None = None,
        lora: LoraSpec | None = None,
        device: str | None = None,
        sampling: Sampling | None = None,
        checkpointing: bool = False,
        seed: int = 0,
        keep_states: int | None = 4,
        progress: bool = True,
    ) -> None:
        """Open a lab, or make a new one.

        Args:
            path: The lab directory.
            database: Where a new lab keeps its data; default: a file in the directory. A URL such
                as "postgresql+psycopg://USER@HOST/NAME" is remembered there, without a password.
            model: Hub id or local folder; default: what the lab was made with, or the small
                embedded model. Loaded when it is first needed.
            quantize: "nf4" (default of a new lab) or "none".
            lora: Shape of the adapters.
            device: "cuda", "cpu" ...; default: the best there is.
            sampling: How responses are drawn; default: temperature 0.8, at most 48 new tokens.
            checkpointing: Learn in a fraction of the memory for activations and a third more time;
                the results are the same. `preflight` says whether it is needed.
            seed: Of everything random in this lab.
            keep_states: How many of the newest versions of each role keep optimizer and value role;
                older ones keep their weights, from which one can go on with fresh ones. None: all.
            progress: Show progress bars.

        Raises:
            LabMismatch: the directory was made with another model, quantization or adapter shape,
                or keeps its data elsewhere; when the model is loaded, also if its weights are
                others than they were.
            StoreError: the directory cannot be used.
            ConfigError: keep_states is below 1, or the path is none.
        """
        if keep_states is not None and keep_states < 1:
            raise ConfigError(f"keep_states={keep_states}: at least 1, or None to keep all.")
        self.path = as_folder(path)  # absolute: a later chdir must not move it
        self.seed = seed
        self.progress = progress
        self.sampling = replace(sampling or Sampling(temperature=0.8, max_new_tokens=48), seed=seed)
        self.store = open_or_make_store(self.path, database)
        try:
            self._identity = settle_identity(
                self.store, self.path, model=model, quantize=quantize, lora=lora
            )
        except LabError:
            self.store.close()
            raise
        self._bench_options: dict[str, Any] = {
            "device": device,
            "checkpointing": checkpointing,
            "seed": seed,
            "keep_states": keep_states,
        }

    # Responses

    def generate(
        self,
        k: int = 4,
        *,
        prompts: int = 32,
        sample: int | None = None,
        heldout: float = 0.25,
        sampling: Sampling | None = None,
        listener: TrainingListener | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Batch:
        """Sample k responses to each of some prompts with the present policy, ready for ranking.

        Run twice, it samples nothing more; with larger numbers, it adds what is missing.

        Args:
            k: Responses per prompt.
            prompts: How many prompts: those this policy has answered already, then the ones
                answered least often, in an order shuffled by the lab's seed.
            sample: Responses to choose the k from, on training prompts those that would teach the
                reward model most; the others are kept and not shown. Default: k, and no choice.
            heldout: Share of them taken from the held-out prompts. Their rankings never train
                anything: they measure the reward model.
            sampling: Default: the lab's.
            listener: Is told how many responses there are.
            stopped: Asked between batches whether to end there.

        Raises:
            Stopped: by `stopped`; finished batches are kept.
            NotEnoughData: the lab has no prompts, or k < 2.
            ConfigError: another number is out of its range.
            PromptError: a prompt does not fit into the model's context.
        """
        from rlhf_lab.models.watching import Watch
        from rlhf_lab.training.listeners import told_how_it_ends

        check_candidates(k)
        check_sample(k, sample)
        self._bench.take()
        chosen = choose_prompts(
            self.store, prompts, heldout=heldout, version=self.version, seed=self.seed
        )
        with told_how_it_ends(listener, otherwise="finished batches are kept.") as told:
            watch = Watch(told, stopped)
            watch.begin(len(chosen) * (sample or k))
            batch = self._collect(
                chosen, k=k, sample=sample, sampling=sampling or self.sampling, watch=watch
            )
            told.ended("finished", f"{batch}.")
        return batch

    # Measuring

    def evaluate(
        self,
        baseline: str | None = None,
        *,
        judge: Annotator | None = None,
        prompts: int = 64,
        sampling: Sampling | None = None,
        listener: TrainingListener | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> EvalReport:
        """Compare the present policy with a baseline on held-out prompts.

        The report tells of an alarm when the reward model scores the policy higher and the judge
        does not prefer it; the next `ppo` against that reward model repeats it.

        Args:
            baseline: A policy version; default: the start of its line, "policy@0" or the latest
                that `sft` made, and of such a one the start before.
            judge: Compares the two responses to each prompt; default: the rubric without noise.
            prompts: How many held-out prompts at most, in the order they were added.
            sampling: Default: the lab's.
            listener: Is told how many responses there are.
            stopped: Asked between batches whether to end there.

        Raises:
            Stopped: by `stopped`; responses are kept, and nothing else.
            NotEnoughData: the lab has no held-out prompts.
            ConfigError: prompts is below 1, or the baseline is the present policy itself.
            UnknownVersion: no such baseline.
            JudgmentError: the judge did not rank the two responses it was shown.
        """
        from rlhf_lab.evaluation import evaluate_policy
        from rlhf_lab.models.watching import Watch
        from rlhf_lab.training.listeners import told_how_it_ends

        self._bench.take()
        baseline = baseline or baseline_of(self.store, self.version)
        chosen = heldout_prompts(self.store, prompts)
        baseline_state = self._bench.baseline(baseline)
        reward, reward_state = self._bench.reward_of_policy()
        with told_how_it_ends(listener, otherwise="finished batches are kept.") as told:
            report = evaluate_policy(
                self._bench.model,
                self.store,
                chosen,
                version=self.version,
                baseline=baseline,
                baseline_state=baseline_state,
                reward=reward,
                reward_state=reward_state,
                judge=judge or RubricAnnotator(),
                sampling=sampling or self.sampling,
                seed=self.seed,
                progress=self.progress,
                watch=Watch(told, stopped),
            )
            told.ended("finished", f"{report}.")
        return report

    def __repr__(self) -> str:
        if self.store.closed:
            return f"Lab({str(self.path)!r}, closed)"
        counts = self.store.counts()
        return (
            f"Lab({str(self.path)!r}, {self._identity.model}, {self.version}: {counts.prompts} "
            f"prompts, {counts.responses} responses, {counts.rankings} rankings)"
        )
