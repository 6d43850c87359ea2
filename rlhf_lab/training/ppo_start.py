"""Where a PPO run starts from: the present policy and reward, as their checkpoints have them."""

from __future__ import annotations

from collections.abc import Sequence

from tqdm.auto import tqdm

from rlhf_lab.errors import NotEnoughData, TrainingError
from rlhf_lab.models import RoleModel
from rlhf_lab.store import PreferenceStore
from rlhf_lab.training.config import PPOConfig
from rlhf_lab.training.ppo import PPOTrainer
from rlhf_lab.training.ppo_run import MonitorHost, PPORun
from rlhf_lab.training.versions import RunSoFar, VersionTree
from rlhf_lab.types import Alarm, Prompt, Version


def start_ppo(
    model: RoleModel,
    tree: VersionTree,
    store: PreferenceStore,
    prompts: Sequence[Prompt],
    config: PPOConfig,
    *,
    steps: int,
    earlier: Sequence[Alarm] = (),
    progress: bool = True,
    monitors: MonitorHost | None = None,
    name: str = "",
) -> PPORun:
    """A run from the present policy version against the present reward version.

    Weights always come from the checkpoints, so a run in a new kernel is the same run. The value
    role starts from the reward role the first time (its normalised scale), and goes on after that.

    Args:
        model: Its policy, value and reward roles are overwritten.
        tree: Where versions come from and go.
        store: Where figures go.
        prompts: For training.
        config: Settings of every step, resolved.
        steps: How many.
        earlier: What is known to be alarming before the first step; it is told, and ends nothing.
        progress: Show a bar, or in a notebook the monitor.
        monitors: Who makes and shows that.
        name: Of the run; one of this name that was cut short goes on, with the steps it lacks.

    Raises:
        TrainingError: the run of this name came to another version than the present one.
        NotEnoughData: no reward version yet, or no prompts.
    """
    reward, policy = tree.head("reward"), tree.head("policy")
    if reward is None:
        raise NotEnoughData("no reward model yet: rank with lab.rank(), then lab.update_reward().")
    if not prompts:
        raise NotEnoughData(
            "no training prompts: add some with lab.add_prompts(..., split='train')."
        )
    assert policy
    before = _made_before(tree, name, policy, steps) if name else None
    model.load_state("reward", tree.load(reward).tensors["reward"])
    trainer = PPOTrainer(model, config)
    trainer.go_on_from(tree.load(policy))
    for alarm in earlier:
        tqdm.write(f"Alarm: {alarm}")
    return PPORun(
        trainer,
        tree,
        store,
        prompts,
        steps=steps,
        earlier=earlier,
        progress=progress,
        monitors=monitors,
        name=name,
        before=before,
    )


def _made_before(tree: VersionTree, name: str, present: Version, steps: int) -> RunSoFar | None:
    found = tree.run_so_far(name)
    if found is not None and found.steps < steps and found.version.name != present.name:
        raise TrainingError(
            f"{found.steps} of {steps} steps are kept as {found.version.name}, and now "
            f"{present.name} is the present policy: check out {found.version.name} and start a new "
            f"run of the {steps - found.steps} steps that are left."
        )
    return found
