"""`Lab`: the one object a notebook needs. It composes the layers below and holds no truth itself.

Everything durable is in the lab directory, so a new kernel that opens it goes on where the last
one stopped. torch is imported when a model is first needed, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rlhf_lab.annotators import RubricAnnotator, check_candidates
from rlhf_lab.errors import ConfigError, LabError
from rlhf_lab.lab.exporting import LabExports
from rlhf_lab.lab.monitoring import NotebookMonitors, reward_monitor
from rlhf_lab.store import (
    choose_prompts,
    heldout_prompts,
    open_or_make_store,
    settle_identity,
)
from rlhf_lab.store.paths import as_folder
from rlhf_lab.types import START, Annotator, LoraSpec, RankingItem, Sampling, Version

if TYPE_CHECKING:
    from rlhf_lab.evaluation import EvalReport
    from rlhf_lab.models import RoleModel
    from rlhf_lab.models.collection import Batch
    from rlhf_lab.training import PPOConfig, RewardConfig, RewardReport
    from rlhf_lab.training.certify import Certificate
    from rlhf_lab.training.ppo_run import PPORun
    from rlhf_lab.training.workbench import Workbench
    from rlhf_lab.types import Prompt, Response
    from rlhf_lab.widgets import TokenWidget, VersionTreeWidget


class Lab(LabExports):
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
        heldout: float = 0.25,
        sampling: Sampling | None = None,
    ) -> Batch:
        """Sample k responses to each of some prompts with the present policy, ready for ranking.

        Run twice, it samples nothing more; with larger numbers, it adds what is missing.

        Args:
            k: Responses per prompt.
            prompts: How many prompts: those this policy has answered already, then the ones
                answered least often, in an order shuffled by the lab's seed.
            heldout: Share of them taken from the held-out prompts. Their rankings never train
                anything: they measure the reward model.
            sampling: Default: the lab's.

        Raises:
            NotEnoughData: the lab has no prompts, or k < 2.
            ConfigError: another number is out of its range.
            PromptError: a prompt does not fit into the model's context.
        """
        from rlhf_lab.models.collection import collect_responses

        check_candidates(k)
        self._bench.take()
        chosen = choose_prompts(
            self.store, prompts, heldout=heldout, version=self.version, seed=self.seed
        )
        return collect_responses(
            self._bench.model,
            self.store,
            chosen,
            k=k,
            version=self.version,
            sampling=sampling or self.sampling,
            progress=self.progress,
        )

    # Updates

    def update_reward(
        self, config: RewardConfig | None = None, *, monitor: bool | None = None
    ) -> RewardReport:
        """Teach the reward role the judgments it has not seen, mixed with old ones.

        Run twice without new judgments, it returns the same report and changes nothing.

        Args:
            config: Settings of the update.
            monitor: Show live curves in a notebook, in the place of bars; default: if it takes
                more than two seconds.

        Raises:
            NotEnoughData: there are no judgments on training prompts yet.
            NonFiniteError: scores that are NaN or infinite; nothing changed.
        """
        from rlhf_lab.training import RewardConfig
        from rlhf_lab.training.reward_update import update_reward

        watching = reward_monitor(monitor if self.progress else monitor or False)
        return update_reward(
            self._bench.model_to_train(),
            self._bench.tree,
            self.store,
            config or RewardConfig(seed=self.seed),
            start=START,
            progress=self.progress,
            listener=watching,
            stopped=lambda: watching is not None and watching.stopping,
            shown=lambda: watching is not None and watching.shown,
        )

    def ppo(self, steps: int = 8, config: PPOConfig | None = None) -> PPORun:
        """PPO steps from the present policy against the present reward model.

        An iterator: `for stats in lab.ppo(steps=8): ...`, or `lab.ppo(steps=8).run()`, which in
        a notebook shows a live monitor (`run(monitor=False)`: a bar); `run.monitor()` gives it for
        a loop of your own.
        Each whole step is kept, however the loop ends; the last becomes a new version.

        Raises:
            NotEnoughData: there is no reward model yet, or no training prompts.
            ConfigError: steps is below 1, or the lab's sampling has a filter (top_k, top_p).
        """
        from rlhf_lab.evaluation import stored_alarm
        from rlhf_lab.training import PPOConfig
        from rlhf_lab.training.ppo_start import start_ppo

        if steps < 1:
            raise ConfigError(f"steps={steps}: at least 1.")
        resolved = (config or PPOConfig()).resolved(self.sampling, self.seed)
        model = self._bench.model_to_train()
        known = stored_alarm(self.store, self.version, self.store.get_setting("head.reward"))
        return start_ppo(
            model,
            self._bench.tree,
            self.store,
            self.store.prompts(split="train"),
            resolved,
            steps=steps,
            earlier=[known] if known else [],
            progress=self.progress,
            monitors=NotebookMonitors(),
        )

    def evaluate(
        self,
        baseline: str = START,
        *,
        judge: Annotator | None = None,
        prompts: int = 64,
        sampling: Sampling | None = None,
    ) -> EvalReport:
        """Compare the present policy with a baseline on held-out prompts.

        The report tells of an alarm when the reward model scores the policy higher and the judge
        does not prefer it; the next `ppo` against that reward model repeats it.

        Args:
            baseline: A policy version.
            judge: Compares the two responses to each prompt; default: the rubric without noise.
            prompts: How many held-out prompts at most, in the order they were added.
            sampling: Default: the lab's.

        Raises:
            NotEnoughData: the lab has no held-out prompts.
            ConfigError: prompts is below 1, or the baseline is the present policy itself.
            UnknownVersion: no such baseline.
            JudgmentError: the judge did not rank the two responses it was shown.
        """
        from rlhf_lab.evaluation import evaluate_policy

        self._bench.take()
        chosen = heldout_prompts(self.store, prompts)
        baseline_state = self._bench.baseline(baseline)
        reward, reward_state = self._bench.reward_of_policy()
        return evaluate_policy(
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
        )

    def tokens(
        self,
        *answers: str | Response,
        prompt: str | Prompt | None = None,
        config: PPOConfig | None = None,
    ) -> TokenWidget:
        """Where the credit went: responses by token, as the next PPO step would see them.

        Args:
            answers: Ids of responses, or responses; with `prompt`, texts. None: its candidates.
            prompt: A prompt, its id, or the text of one.
            config: Settings of the step; default: those of `ppo`.

        Raises:
            NotEnoughData: no answers were given, or there are none to the prompt.
            StoreError: there is no response of an id.
            PromptError: an answer does not fit into the model's context.
        """
        from rlhf_lab.lab.looking import read_tokens
        from rlhf_lab.widgets import TokenWidget

        return TokenWidget(read_tokens(self._bench, self, answers, prompt, config))

    # Versions

    def checkout(self, name: str, *, with_reward: bool = True) -> Version:
        """Continue from an earlier version; nothing is lost, the next update makes a branch.

        Args:
            name: As in "policy@1" or "reward@0".
            with_reward: A policy brings back the reward model it was trained with.

        Raises:
            UnknownVersion: no such version.
            CheckpointError: its files are missing or altered; nothing changed.
        """
        return self._bench.checkout(name, with_reward=with_reward)

    def tree(self) -> VersionTreeWidget:
        """The versions as a tree: look at them, compare two, check one out, undo.

        It can do no more than `checkout` and `undo`, and says what they would raise.
        """
        from rlhf_lab.lab.versions import LabVersions
        from rlhf_lab.widgets import VersionTreeWidget

        source = LabVersions(self)
        return VersionTreeWidget(source, source.compare)

    def undo(self) -> Version:
        """Check out the parent of the present policy; the reward model stays as it is.

        Raises:
            NotEnoughData: the present policy is the start.
        """
        return self._bench.undo()

    def _export_policy(self, folder: Path) -> Path:
        return self._bench.export(folder)

    # The model

    def certify(self) -> Certificate:
        """Compare computations that must agree before the model may learn; changes nothing.

        All but the comparison of gradients runs by itself before the first update of a session.
        """
        from rlhf_lab.training.certify import certify

        return certify(self._bench.ready_model())

    @property
    def model(self) -> RoleModel:
        """The base with its roles, at the present versions; loaded on first use.

        Raises:
            LabInUse: another process does model work in this lab; names it.
        """
        return self._bench.model

    def _scorer(self) -> Callable[[RankingItem], Mapping[str, float]]:
        from rlhf_lab.lab.revealing import reward_scorer

        return reward_scorer(self._bench)

    @cached_property
    def _bench(self) -> Workbench:
        from rlhf_lab.training.workbench import Workbench

        return Workbench(self.path, self.store, self._identity, **self._bench_options)

    def close(self) -> None:
        """Give back the lock, the database and the model."""
        if "_bench" in self.__dict__:
            self._bench.let_go()
        super().close()

    def __repr__(self) -> str:
        if self.store.closed:
            return f"Lab({str(self.path)!r}, closed)"
        counts = self.store.counts()
        return (
            f"Lab({str(self.path)!r}, {self._identity.model}, {self.version}: {counts.prompts} "
            f"prompts, {counts.responses} responses, {counts.rankings} rankings)"
        )
