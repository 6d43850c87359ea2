"""One fine-tuning of a lab on what people wrote; it starts the line of policies that follows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from rlhf_lab.errors import NotEnoughData
from rlhf_lab.models import RoleModel
from rlhf_lab.models.memory import release_memory
from rlhf_lab.store import PreferenceStore
from rlhf_lab.training.config import SFTConfig
from rlhf_lab.training.listeners import told_how_it_ends
from rlhf_lab.training.policy_update import (
    first_and_last,
    learned_before,
    policy_restored,
    save_policy,
)
from rlhf_lab.training.sft import DemonstratedExample, SFTTrainer
from rlhf_lab.training.sft_report import SFTReport
from rlhf_lab.training.stepwise import StepwiseUpdate, key_of
from rlhf_lab.training.versions import VersionTree
from rlhf_lab.types import TrainingListener


class Demonstrations(NamedTuple):
    """A lab's demonstrations in tokens, on training prompts and on held-out ones."""

    train: list[DemonstratedExample]
    heldout: list[DemonstratedExample]


def update_sft(
    model: RoleModel,
    tree: VersionTree,
    store: PreferenceStore,
    config: SFTConfig,
    *,
    progress: bool = True,
    listener: TrainingListener | None = None,
    stopped: Callable[[], bool] = lambda: False,
    shown: Callable[[], bool] = lambda: False,
) -> SFTReport:
    """Learn every demonstration that counts; makes the next policy, which is a start.

    As a start it is the reference of what grows from it, and what its first reward model grows
    from. An interrupted update is taken up by the next one with the same settings; until it is
    done the present policy is what it was.

    Args:
        model: At the present versions.
        tree: Where versions come from and go.
        store: Where demonstrations are.
        config: Settings of the update.
        progress: Show bars.
        listener: Is told what happens.
        stopped: Asked after each step whether it shall be the last one; what is learned is kept.
        shown: Asked whether the listener shows how far it is, in the place of bars.

    Raises:
        NotEnoughData: there are no demonstrations for training prompts.
        NonFiniteError: losses that are not finite.
        PromptError: a prompt and its answer exceed the model's context.
    """
    began = time.perf_counter()
    policy = tree.head("policy")
    assert policy
    found = lab_demonstrations(model, store)
    before = learned_before(tree, policy, "sft")
    ids = {e.demonstration_id for e in found.train}
    if before.report is not None and ids <= before.ids:
        return SFTReport.from_state(before.report)
    if not found.train:
        raise NotEnoughData(
            f"0 demonstrations for training prompts ({len(found.heldout)} for held-out ones, which "
            "never train): write some with lab.demonstrate(prompt, text), edit responses in "
            "lab.rank(), or import some with lab.import_(...)."
        )
    trainer = SFTTrainer(model, config)
    kept = tree.kept_steps("sft", key_of(config, policy.name, sorted(ids)))
    otherwise = "the policy is what it was, and the same call goes on from what is kept."
    with (
        told_how_it_ends(listener, otherwise=otherwise) as told,
        policy_restored(model, tree, policy),
    ):
        told.phase("scoring")
        heldout_before = _loss(trainer, found.heldout, progress=progress and not shown())
        if heldout_before is not None:
            told.add(0, {"heldout_loss": heldout_before})
        with model.dense.base():
            made = StepwiseUpdate(
                learner=trainer,
                kept=kept,
                keep_every=config.keep_every,
                told=told,
                title="SFT",
                progress=progress,
                stopped=stopped,
                shown=shown,
            ).run(trainer.steps(found.train))
        release_memory()
        told.phase("scoring")
        loss_first, loss_last = first_and_last(made.losses, config.epochs)
        report = SFTReport(
            version=tree.next_name("policy"),
            demonstrations=len(found.train),
            tokens=sum(len(e.answer) for e in found.train),
            loss_first=loss_first,
            loss_last=loss_last,
            heldout=len(found.heldout),
            heldout_loss_before=heldout_before,
            heldout_loss=_loss(trainer, found.heldout, progress=progress and not shown()),
            epochs=config.epochs,
            steps=len(made.losses),
            seconds=time.perf_counter() - began,
            stopped=made.stopped,
        )
        figures = {"loss": report.loss_last}
        if report.heldout_loss is not None:
            figures["heldout_loss"] = report.heldout_loss
        save_policy(
            model,
            tree,
            policy,
            made_by="sft",
            learned=ids,
            report=report.as_state(),
            metrics={"demonstrations": float(len(ids)), **figures},
        )
        kept.clear()
        if report.heldout_loss is not None:
            told.add(report.steps, {"heldout_loss": report.heldout_loss})
        store.log_metrics("sft", report.version, 0, figures)
        told.ended("stopped" if made.stopped else "finished", f"Made {report.version}.")
    return report


def lab_demonstrations(model: RoleModel, store: PreferenceStore) -> Demonstrations:
    """Every demonstration that counts.

    Raises:
        PromptError: a prompt and its answer exceed the model's context.
    """
    found = Demonstrations([], [])
    prompts = {prompt.id: prompt for prompt in store.prompts()}
    for demonstration in store.demonstrations():
        prompt = prompts[demonstration.prompt_id]
        answer = model.chat.encode_answer(demonstration.text)
        example = DemonstratedExample(
            demonstration_id=demonstration.id,
            prompt=model.chat.encode(prompt, room=len(answer)),
            answer=answer,
        )
        (found.heldout if prompt.split == "heldout" else found.train).append(example)
    return found


def _loss(
    trainer: SFTTrainer, examples: list[DemonstratedExample], *, progress: bool
) -> float | None:
    return trainer.loss(examples, progress=progress) if examples else None
