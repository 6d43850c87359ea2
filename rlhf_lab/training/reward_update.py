"""One incremental reward update of a lab: which judgments are new, and what came of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rlhf_lab.algorithms import Calibration, pairs_of_tiers, pairwise_calibration, share_interval
from rlhf_lab.models import RoleModel
from rlhf_lab.models.memory import release_memory
from rlhf_lab.store import PreferenceStore
from rlhf_lab.training.alarms import reward_alarm
from rlhf_lab.training.checkpoints import Checkpoint
from rlhf_lab.training.config import RewardConfig
from rlhf_lab.training.fit_progress import FitResult
from rlhf_lab.training.listeners import told_how_it_ends
from rlhf_lab.training.ranking_trainer import RankedExample, ordered_pairs_right
from rlhf_lab.training.reward import RewardTrainer
from rlhf_lab.training.reward_examples import LabExamples, lab_examples
from rlhf_lab.training.reward_report import RewardReport
from rlhf_lab.training.versions import VersionNote, VersionTree
from rlhf_lab.types import START, Alarm, Interval, TrainingListener, Version


def update_reward(
    model: RoleModel,
    tree: VersionTree,
    store: PreferenceStore,
    config: RewardConfig | None,
    *,
    progress: bool = True,
    listener: TrainingListener | None = None,
    stopped: Callable[[], bool] = lambda: False,
    shown: Callable[[], bool] = lambda: False,
) -> RewardReport:
    """Learn from judgments the present reward version has not seen; makes the next version.

    What raises leaves weights, optimizer and versions as they were, but for a failure to write the
    figures of the new version, which is there then.

    Args:
        model: Its reward role is overwritten with the present version first.
        tree: Where versions come from and go.
        store: Where judgments are.
        config: Settings of the update.
        progress: Show bars.
        listener: Is told what happens.
        stopped: Asked after each pass over the rankings whether it shall be the last one.
        shown: Asked whether the listener shows how far it is, in the place of bars.

    Raises:
        NotEnoughData: there are no judgments on training prompts, or every one is a single tie.
        NonFiniteError: scores or losses are NaN or infinite, before or after learning.
        StoreError: a judgment names what the lab does not hold.
    """
    began = time.perf_counter()
    trainer = RewardTrainer(model, config)
    policy = tree.head("policy")
    assert policy
    start = tree.start_of(policy)
    head = _head_of_line(tree, start)
    before = tree.load(head) if head else None
    learned = set(before.state["learned"]) if before else set()
    examples = lab_examples(model, store, learned, start.name)
    if before and not examples.new:
        trainer.load_state(before.tensors)
        return _report(before)
    examples.check()
    if before:
        trainer.load_state(before.tensors)
    else:
        _start_reward(model, tree, start, trainer.config.seed)

    with told_how_it_ends(listener, otherwise="the reward model is what it was.") as told:
        told.started(done=0, total=0)
        told.phase("scoring")
        unseen = trainer.scores(examples.new, progress=progress and not shown())
        prequential = _accuracy(examples.new, unseen)
        alarm = _alarm(before, model, examples, unseen) if before else None
        told.add(0, _accuracies(_report(before).heldout_accuracy if before else None, prequential))
        # Interrupted before the checkpoint, the role must not keep what no version knows of.
        with trainer.optimizer.whole_or_nothing():
            fit = trainer.fit(
                examples.new,
                examples.old,
                heldout=examples.heldout,
                progress=progress and not shown(),
                listener=told,
                stopped=stopped,
                shown=shown,
            )
            release_memory()
            told.phase("scoring")
            reference = examples.reference or examples.new
            scores = _scores_by_judgment(
                trainer, [*reference, *examples.heldout], progress=progress and not shown()
            )
            trainer.normalise_on([scores[e.judgment_id] for e in reference])
            heldout = [scores[e.judgment_id] for e in examples.heldout]
            loss_first, loss_last = _first_and_last(fit)
            report = RewardReport(
                version=tree.next_name("reward"),
                rankings=len(examples.new),
                replayed=trainer.replayed(examples.new, examples.old),
                pairs=sum(len(ordered_pairs_right(e.ranks, e.ranks)) for e in examples.new),
                loss_first=loss_first,
                loss_last=loss_last,
                heldout_accuracy=_accuracy(examples.heldout, heldout),
                prequential_accuracy=prequential,
                seconds=time.perf_counter() - began,
                calibration=_calibration(examples.heldout, heldout),
                epochs=len(fit.losses),
                kept_epoch=fit.kept_epoch,
                kept_by=fit.kept_by,
                repeated_pairs=examples.repeated.total,
                contradicting_pairs=examples.repeated.contradicting,
                alarm=alarm,
            )
            learned |= {e.judgment_id for e in examples.new}
            metrics, intervals = _figures(report, learned)
            state = {
                "learned": sorted(learned),
                "report": report.as_state(),
                "start": start.name,
            }
            note = VersionNote(parent=head.name if head else None, metrics=metrics)
            tree.save("reward", Checkpoint(tensors=trainer.state(), state=state), note)
            told.otherwise = f"{report.version} is there, without its figures."
        store.log_metrics("reward", report.version, 0, {**metrics, **intervals})
        steps = sum(map(len, fit.losses))
        told.add(steps, _accuracies(report.heldout_accuracy, None))
        if alarm is not None:
            told.alarm(steps, alarm)
        told.ended("stopped" if fit.stopped else "finished", f"Made {report.version}.")
    return report


def _head_of_line(tree: VersionTree, start: Version) -> Version | None:
    """The present reward version, if it grew from the start of the present policy.

    One that grew from another start has its scale and its weights from there: after fine-tuning, a
    new one begins, and learns everything that was ever said.
    """
    head = tree.head("reward")
    if head is None or tree.state_of(head).get("start", START) != start.name:
        return None
    return head


def _start_reward(model: RoleModel, tree: VersionTree, start: Version, seed: int) -> None:
    """The weights that a first reward version learns from: the start's, under a new head."""
    is_fresh = start.parent is None and not any(v.role == "reward" for v in tree.all())
    if not is_fresh:  # else the role holds them already, and nothing has used it yet
        model.start_reward(tree.load(start).tensors["policy"], seed=seed)


def _report(checkpoint: Checkpoint) -> RewardReport:
    return RewardReport.from_state(checkpoint.state["report"])


def _accuracies(heldout: Interval | None, prequential: Interval | None) -> dict[str, float]:
    found = {"heldout_accuracy": heldout, "prequential_accuracy": prequential}
    return {name: interval.estimate for name, interval in found.items() if interval is not None}


def _scores_by_judgment(
    trainer: RewardTrainer, examples: Sequence[RankedExample], *, progress: bool
) -> dict[str, Tensor]:
    """Scores of each example, which is run once however often it is listed."""
    once = {e.judgment_id: e for e in examples}
    return dict(zip(once, trainer.scores(list(once.values()), progress=progress), strict=True))


def _accuracy(examples: Sequence[RankedExample], scores: Sequence[Tensor]) -> Interval | None:
    """Judgments of one prompt agree or err together: it is prompts that were sampled."""
    by_prompt: dict[tuple[int, ...], list[float]] = {}
    for example, found in zip(examples, scores, strict=True):
        right = by_prompt.setdefault(tuple(example.prompt), [])
        right += ordered_pairs_right(found, example.ranks)
    return share_interval(list(by_prompt.values())) if any(by_prompt.values()) else None


def _alarm(
    before: Checkpoint, model: RoleModel, examples: LabExamples, unseen: Sequence[Tensor]
) -> Alarm | None:
    """Of the version in the reward role, on new rankings of other responses than the start's."""
    starts = {e.judgment_id for e in examples.reference}
    later = [
        pair for pair in zip(examples.new, unseen, strict=True) if pair[0].judgment_id not in starts
    ]
    if not later:
        return None
    scores = [found.to(model.base.device) for _, found in later]
    rise = model.head("reward").normalised(torch.cat(scores)).mean().item()
    report = _report(before)
    agreement = _accuracy(*map(list, zip(*later, strict=True)))
    return reward_alarm(report.version, rise, agreement, report.heldout_accuracy)


def _calibration(examples: Sequence[RankedExample], scores: Sequence[Tensor]) -> Calibration | None:
    differences = []
    for example, found in zip(examples, scores, strict=True):
        better, worse, is_tie, _ = pairs_of_tiers(example.ranks)
        differences.append((found[better] - found[worse])[~is_tie])
    together = torch.cat(differences) if differences else torch.zeros(0)
    return pairwise_calibration(together) if len(together) else None


def _first_and_last(fit: FitResult) -> tuple[float, float]:
    """Loss over the first half epoch, and over the last half epoch before the kept weights."""
    steps = [loss for epoch in fit.losses for loss in epoch]
    kept = [loss for epoch in fit.losses[: fit.kept_epoch] for loss in epoch]
    window = max(1, len(steps) // (len(fit.losses) * 2))
    return _mean(kept[:window]), _mean(kept[-window:])


def _figures(report: RewardReport, learned: set[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Of the new version: those that belong to it, and the ends of their intervals."""
    metrics = {"rankings": float(len(learned)), "loss": report.loss_last}
    intervals: dict[str, float] = {}
    for name in ("heldout_accuracy", "prequential_accuracy"):
        if (interval := getattr(report, name)) is not None:
            metrics[name] = interval.estimate
            intervals |= interval.figures(name)
    if report.calibration is not None:
        metrics["calibration_error"] = report.calibration.error
    return metrics, intervals


def _mean(losses: Sequence[float]) -> float:
    """Over the steps that were taken; NaN when the window holds none."""
    finite = [loss for loss in losses if math.isfinite(loss)]
    return sum(finite) / len(finite) if finite else math.nan
