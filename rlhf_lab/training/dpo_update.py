"""One DPO update of a lab: which rankings are new to the policy, and what came of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain

from rlhf_lab.algorithms import share_interval
from rlhf_lab.models import RoleModel
from rlhf_lab.models.memory import release_memory
from rlhf_lab.store import PreferenceStore
from rlhf_lab.training.config import DPOConfig
from rlhf_lab.training.dpo import DPOTrainer
from rlhf_lab.training.dpo_report import DPOReport
from rlhf_lab.training.listeners import told_how_it_ends
from rlhf_lab.training.policy_update import (
    first_and_last,
    learned_before,
    policy_restored,
    save_policy,
)
from rlhf_lab.training.ranking_trainer import RankedExample, ordered_pairs_right
from rlhf_lab.training.reward_examples import LabExamples, lab_examples
from rlhf_lab.training.stepwise import StepwiseUpdate, key_of
from rlhf_lab.training.versions import VersionTree
from rlhf_lab.types import Interval, TrainingListener


def update_dpo(
    model: RoleModel,
    tree: VersionTree,
    store: PreferenceStore,
    config: DPOConfig,
    *,
    progress: bool = True,
    listener: TrainingListener | None = None,
    stopped: Callable[[], bool] = lambda: False,
    shown: Callable[[], bool] = lambda: False,
) -> DPOReport:
    """Learn from rankings that the present line of policies has not; makes the next policy.

    An interrupted update is taken up by the next one with the same settings; until it is done the
    present policy is what it was.

    Args:
        model: At the present versions.
        tree: Where versions come from and go.
        store: Where judgments are.
        config: Settings of the update.
        progress: Show bars.
        listener: Is told what happens.
        stopped: Asked after each step whether it shall be the last one; what is learned is kept.
        shown: Asked whether the listener shows how far it is, in the place of bars.

    Raises:
        NotEnoughData: there are no judgments on training prompts, or every one is a single tie.
        NonFiniteError: losses that are not finite.
        StoreError: a judgment names what the lab does not hold.
    """
    began = time.perf_counter()
    policy = tree.head("policy")
    assert policy
    before = learned_before(tree, policy, "dpo")
    examples = lab_examples(model, store, before.ids, tree.start_of(policy).name)
    if before.report is not None and not examples.new:
        return DPOReport.from_state(before.report)
    examples.check()
    trainer = DPOTrainer(model, config)
    key = key_of(config, policy.name, [e.judgment_id for e in (*examples.new, *examples.old)])
    kept = tree.kept_steps("dpo", key)
    otherwise = "the policy is what it was, and the same call goes on from what is kept."
    with (
        told_how_it_ends(listener, otherwise=otherwise) as told,
        policy_restored(model, tree, policy),
    ):
        told.phase("scoring")
        known = _with_reference(trainer, examples, progress=progress and not shown())
        steps = list(chain.from_iterable(trainer.epochs(known.new, known.old)))
        with model.dense.base():
            made = StepwiseUpdate(
                learner=trainer,
                kept=kept,
                keep_every=config.keep_every,
                told=told,
                title="DPO",
                progress=progress,
                stopped=stopped,
                shown=shown,
            ).run(steps)
        release_memory()
        told.phase("scoring")
        loss_first, loss_last = first_and_last(made.losses, config.epochs)
        best, worst = _moved(trainer, known.new, progress=progress and not shown())
        report = DPOReport(
            version=tree.next_name("policy"),
            rankings=len(known.new),
            replayed=trainer.replayed(known.new, known.old),
            loss_first=loss_first,
            loss_last=loss_last,
            heldout_accuracy=_accuracy(trainer, known.heldout, progress=progress and not shown()),
            best=best,
            worst=worst,
            epochs=config.epochs,
            steps=len(made.losses),
            seconds=time.perf_counter() - began,
            stopped=made.stopped,
        )
        learned = before.ids | {e.judgment_id for e in known.new}
        figures = {"loss": report.loss_last, **_figures(report)}
        save_policy(
            model,
            tree,
            policy,
            made_by="dpo",
            learned=learned,
            report=report.as_state(),
            metrics={"rankings": float(len(learned)), **figures},
        )
        kept.clear()
        if report.heldout_accuracy is not None:
            told.add(report.steps, {"heldout_accuracy": report.heldout_accuracy.estimate})
        store.log_metrics("dpo", report.version, 0, figures)
        told.ended("stopped" if made.stopped else "finished", f"Made {report.version}.")
    return report


def _with_reference(trainer: DPOTrainer, examples: LabExamples, *, progress: bool) -> LabExamples:
    """The same with the reference's log-probabilities, where they are needed."""
    every = [*examples.new, *examples.old, *examples.heldout]
    found = iter(trainer.with_reference(every, progress=progress))
    new, old, heldout = (
        [next(found) for _ in part] for part in (examples.new, examples.old, examples.heldout)
    )
    return replace(examples, new=new, old=old, heldout=heldout, reference=[])


def _accuracy(
    trainer: DPOTrainer, examples: Sequence[RankedExample], *, progress: bool
) -> Interval | None:
    """Judgments of one prompt agree or err together: it is prompts that were sampled."""
    by_prompt: dict[tuple[int, ...], list[float]] = {}
    scores = trainer.scores(examples, progress=progress) if examples else []
    for example, found in zip(examples, scores, strict=True):
        right = by_prompt.setdefault(tuple(example.prompt), [])
        right += ordered_pairs_right(found, example.ranks)
    return share_interval(list(by_prompt.values())) if any(by_prompt.values()) else None


def _moved(
    trainer: DPOTrainer, examples: Sequence[RankedExample], *, progress: bool
) -> tuple[float, float]:
    """How much likelier the best and the worst responses became, means in nats per response."""
    best: list[float] = []
    worst: list[float] = []
    for example, scores in zip(examples, trainer.scores(examples, progress=progress), strict=True):
        nats = (scores / trainer.config.beta).tolist()
        if min(example.ranks) == max(example.ranks):
            continue  # one single tie has neither
        by_rank = list(zip(nats, example.ranks, strict=True))
        best += [x for x, rank in by_rank if rank == min(example.ranks)]
        worst += [x for x, rank in by_rank if rank == max(example.ranks)]
    return sum(best) / len(best), sum(worst) / len(worst)


def _figures(report: DPOReport) -> dict[str, float]:
    found = {"best": report.best, "worst": report.worst}
    if report.heldout_accuracy is not None:
        found["heldout_accuracy"] = report.heldout_accuracy.estimate
    return found
