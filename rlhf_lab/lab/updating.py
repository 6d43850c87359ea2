"""What a lab learns: fine-tuning on demonstrations, reward updates, PPO and DPO."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rlhf_lab.errors import ConfigError
from rlhf_lab.lab.choosing import LabChoices
from rlhf_lab.lab.monitoring import (
    NotebookMonitors,
    UpdateMonitor,
    dpo_monitor,
    reward_monitor,
    sft_monitor,
)
from rlhf_lab.types import TrainingListener

if TYPE_CHECKING:
    from rlhf_lab.training import (
        DPOConfig,
        DPOReport,
        PPOConfig,
        RewardConfig,
        RewardReport,
        SFTConfig,
        SFTReport,
    )
    from rlhf_lab.training.ppo_run import PPORun


class LabUpdates(LabChoices):
    """The updates of a lab's roles, each of which makes a version."""

    def sft(
        self,
        config: SFTConfig | None = None,
        *,
        monitor: bool | None = None,
        listener: TrainingListener | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> SFTReport:
        """Fine-tune the present policy on every demonstration: the method's first step.

        The version it makes is a start: the reference of the policies that grow from it, and what
        their first reward model grows from. Run twice without new demonstrations, it returns the
        same report and changes nothing; interrupted, the same call goes on from what is kept.

        Args:
            config: Settings of the update.
            monitor: Show live curves in a notebook, in the place of bars; default: if it takes
                more than two seconds.
            listener: Is told what happens, in the place of a monitor.
            stopped: Asked after each step whether to end there; what is learned becomes the
                version.

        Raises:
            NotEnoughData: there are no demonstrations for training prompts.
            NonFiniteError: losses that are NaN or infinite; the policy is what it was.
            PromptError: a demonstration does not fit into the model's context.
        """
        from rlhf_lab.training import SFTConfig
        from rlhf_lab.training.sft_update import update_sft

        watching = None if listener else sft_monitor(self._wanted(monitor))
        return update_sft(
            self._bench.model_to_train(),
            self._bench.tree,
            self.store,
            config or SFTConfig(seed=self.seed),
            progress=self.progress,
            listener=listener or watching,
            stopped=lambda: stopped() or _is_stopping(watching),
            shown=lambda: _is_shown(watching),
        )

    def update_reward(
        self,
        config: RewardConfig | None = None,
        *,
        monitor: bool | None = None,
        listener: TrainingListener | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> RewardReport:
        """Teach the reward role the judgments it has not seen, mixed with old ones.

        Run twice without new judgments, it returns the same report and changes nothing.

        Args:
            config: Settings of the update.
            monitor: Show live curves in a notebook, in the place of bars; default: if it takes
                more than two seconds.
            listener: Is told what happens, in the place of a monitor.
            stopped: Asked after each pass over the rankings whether to end there and keep it.

        Raises:
            NotEnoughData: there are no judgments on training prompts yet.
            NonFiniteError: scores that are NaN or infinite; nothing changed.
        """
        from rlhf_lab.training import RewardConfig
        from rlhf_lab.training.reward_update import update_reward

        watching = None if listener else reward_monitor(self._wanted(monitor))
        return update_reward(
            self._bench.model_to_train(),
            self._bench.tree,
            self.store,
            config or RewardConfig(seed=self.seed),
            progress=self.progress,
            listener=listener or watching,
            stopped=lambda: stopped() or _is_stopping(watching),
            shown=lambda: _is_shown(watching),
        )

    def ppo(self, steps: int = 8, config: PPOConfig | None = None, *, name: str = "") -> PPORun:
        """PPO steps from the present policy against the present reward model.

        An iterator: `for stats in lab.ppo(steps=8): ...`, or `lab.ppo(steps=8).run()`, which in
        a notebook shows a live monitor (`run(monitor=False)`: a bar); `run.monitor()` gives it for
        a loop of your own.
        Each whole step is kept, however the loop ends; the last becomes a new version.

        Args:
            steps: How many.
            config: Settings of every step.
            name: Of the run, for who starts it again after a crash: what is kept of it then
                counts, and only the steps that are missing are made.

        Raises:
            TrainingError: another version is present than the one that a run of this name left.
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
            name=name,
        )

    def dpo(
        self,
        config: DPOConfig | None = None,
        *,
        monitor: bool | None = None,
        listener: TrainingListener | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> DPOReport:
        """Teach the present policy the rankings it has not seen, without a reward model.

        An alternative to `update_reward` and `ppo` on the same versions and the same judgments,
        ties and strengths included. Run twice without new judgments, it returns the same report
        and changes nothing; interrupted, the same call goes on from what is kept.

        Args:
            config: Settings of the update.
            monitor: Show live curves in a notebook, in the place of bars; default: if it takes
                more than two seconds.
            listener: Is told what happens, in the place of a monitor.
            stopped: Asked after each step whether to end there; what is learned becomes the
                version.

        Raises:
            NotEnoughData: there are no judgments on training prompts yet.
            NonFiniteError: losses that are NaN or infinite; the policy is what it was.
        """
        from rlhf_lab.training import DPOConfig
        from rlhf_lab.training.dpo_update import update_dpo

        watching = None if listener else dpo_monitor(self._wanted(monitor))
        return update_dpo(
            self._bench.model_to_train(),
            self._bench.tree,
            self.store,
            config or DPOConfig(seed=self.seed),
            progress=self.progress,
            listener=listener or watching,
            stopped=lambda: stopped() or _is_stopping(watching),
            shown=lambda: _is_shown(watching),
        )

    def _wanted(self, monitor: bool | None) -> bool | None:
        """Whether to show one: unless it is asked for, only where the lab shows progress at all."""
        return monitor if self.progress else monitor or False


def _is_stopping(monitor: UpdateMonitor | None) -> bool:
    return monitor is not None and monitor.stopping


def _is_shown(monitor: UpdateMonitor | None) -> bool:
    return monitor is not None and monitor.shown
