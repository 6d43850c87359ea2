"""The part of a lab that has the model at hand: versions, looking, and who may work with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.lab.exporting import LabExports
from rlhf_lab.store import Identity
from rlhf_lab.types import RankingItem, Sampling, Version

if TYPE_CHECKING:
    from rlhf_lab.evaluation import RewardJudge
    from rlhf_lab.models import RoleModel
    from rlhf_lab.training import PPOConfig
    from rlhf_lab.training.certify import Certificate
    from rlhf_lab.training.versions import RunSoFar
    from rlhf_lab.training.workbench import Workbench
    from rlhf_lab.types import Prompt, Response
    from rlhf_lab.widgets import TokenWidget, VersionTreeWidget


class LabModel(LabExports):
    """What a lab does with its model as it is.

    Attributes:
        sampling: How responses are drawn.
    """

    sampling: Sampling
    _identity: Identity
    _bench_options: dict[str, Any]

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

    def certify(self, *, compare_gradients: bool = True) -> Certificate:
        """Compare computations that must agree before the model may learn; changes nothing.

        All but the comparison of gradients runs by itself before the first update of a session,
        unless this was asked before and passed.

        Args:
            compare_gradients: Also those with an independent plain model, the dearest check.
        """
        return self._bench.certify(compare_gradients=compare_gradients)

    @property
    def model(self) -> RoleModel:
        """The base with its roles, at the present versions; loaded on first use.

        Raises:
            LabInUse: another process does model work in this lab; names it.
        """
        return self._bench.model

    def hold(self, purpose: str | None = None) -> None:
        """Take the lab for model work before anything needs it; loads no model.

        Args:
            purpose: What others are told who ask for it meanwhile; default: "model work".

        Raises:
            LabInUse: another process does model work in this lab; names it.
        """
        self._bench.take(purpose)

    def let_go(self) -> None:
        """Give back the lock and the memory of the model; whatever needs them takes them again."""
        if "_bench" in self.__dict__:
            self._bench.let_go()

    def run_so_far(self, name: str) -> RunSoFar | None:
        """What a PPO run of this name came to, over all processes that worked on it.

        Raises:
            LabInUse: another process does model work in this lab; names it.
        """
        self._bench.take()
        return self._bench.tree.run_so_far(name)

    def reward_judge(self, version: str | None = None, *, tie_width: float = 0.0) -> RewardJudge:
        """A reward version as a judge, as in `lab.trust(judges=[lab.reward_judge()])`.

        Of the lab's own judgments only those on held-out prompts can say anything of it.

        Args:
            version: As in "reward@1"; default: the present one.
            tie_width: Scores that differ by at most so many standard deviations are tied.

        Raises:
            NotEnoughData: there is no reward model yet.
            UnknownVersion: no such version.
            ConfigError: it is a policy, or the width is below 0.
        """
        from rlhf_lab.evaluation import RewardJudge

        model, tree = self._bench.ready_model(), self._bench.tree
        found = tree.head("reward") if version is None else tree.get(version)
        if found is None:
            raise NotEnoughData(
                "no reward model yet: rank with lab.rank(), then lab.update_reward()."
            )
        if found.role != "reward":
            raise ConfigError(
                f"version={found.name!r} is a policy, which scores nothing: choose a reward model "
                "from lab.versions."
            )
        return RewardJudge(
            model,
            tree.load(found).tensors["reward"],
            name=found.name,
            tie_width=tie_width,
            heldout_only=True,
        )

    def _scorer(self) -> Callable[[RankingItem], Mapping[str, float]]:
        from rlhf_lab.lab.revealing import reward_scorer

        return reward_scorer(self._bench)

    @cached_property
    def _bench(self) -> Workbench:
        from rlhf_lab.training.workbench import Workbench

        return Workbench(self.path, self.store, self._identity, **self._bench_options)

    def close(self) -> None:
        """Give back the lock, the database and the model."""
        self.let_go()
        super().close()
