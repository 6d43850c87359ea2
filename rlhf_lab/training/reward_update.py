"""One incremental reward update of a lab: which judgments are new, and what came of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from rlhf_lab.algorithms import bootstrap_mean
from rlhf_lab.errors import NotEnoughData
from rlhf_lab.models import RoleModel
from rlhf_lab.models.memory import release_memory
from rlhf_lab.store import PreferenceStore
from rlhf_lab.training.checkpoints import Checkpoint
from rlhf_lab.training.config import RewardConfig
from rlhf_lab.training.reward import RankedExample, RewardReport, RewardTrainer, ordered_pairs_right
from rlhf_lab.training.versions import VersionNote, VersionTree
from rlhf_lab.types import Interval, Version


@dataclass(frozen=True)
class _Examples:
    """A lab's rankings in tokens, by what they are for."""

    new: list[RankedExample]
    old: list[RankedExample]
    heldout: list[RankedExample]
    reference: list[RankedExample]


def update_reward(
    model: RoleModel,
    tree: VersionTree,
    store: PreferenceStore,
    config: RewardConfig | None,
    *,
    start: str,
    progress: bool = True,
) -> RewardReport:
    """Learn from judgments the present reward version has not seen; makes the next version.

    Args:
        model: Its reward role is overwritten with the present version first.
        tree: Where versions come from and go.
        store: Where judgments are.
        config: Settings of the update.
        start: The version whose responses the scores are normalised on.
        progress: Show bars.

    Raises:
        NotEnoughData: there are no judgments on training prompts, or every one is a single tie.
    """
    began = time.perf_counter()
    trainer = RewardTrainer(model, config)
    head = tree.head("reward")
    before = tree.load(head) if head else None
    learned = set(before.state["learned"]) if before else set()
    examples = _examples(model, store, learned, start)
    if before:
        trainer.load_state(before.tensors)
        if not examples.new:
            return _report_from(before.state["report"])
    _check(examples)

    prequential = _accuracy(examples.new, trainer.scores(examples.new, progress=progress))
    # Interrupted before the checkpoint, the role must not keep what no version knows of.
    with trainer.optimizer.whole_or_nothing():
        losses = trainer.fit(examples.new, examples.old, progress=progress)
        release_memory()
        reference = examples.reference or examples.new
        scores = _scores_by_judgment(trainer, [*reference, *examples.heldout], progress=progress)
        trainer.normalise_on([scores[e.judgment_id] for e in reference])
        heldout = _accuracy(examples.heldout, [scores[e.judgment_id] for e in examples.heldout])
        window = max(1, len(losses) // (trainer.config.epochs * 2))
        report = RewardReport(
            version=tree.next_name("reward"),
            rankings=len(examples.new),
            replayed=min(len(examples.old), round(trainer.config.replay * len(examples.new))),
            pairs=sum(len(ordered_pairs_right(e.ranks, e.ranks)) for e in examples.new),
            loss_first=_mean(losses[:window]),
            loss_last=_mean(losses[-window:]),
            heldout_accuracy=heldout,
            prequential_accuracy=prequential,
            seconds=time.perf_counter() - began,
        )
        learned |= {e.judgment_id for e in examples.new}
        _save(tree, store, trainer, head, report, learned)
    return report


def _examples(model: RoleModel, store: PreferenceStore, learned: set[str], start: str) -> _Examples:
    prompts = {p.id: p for p in store.prompts()}
    responses = {r.id: r for r in store.responses()}
    found = _Examples([], [], [], [])
    for judgment in store.judgments():
        assert judgment.ranking
        ranks = judgment.ranking.ranks()
        prompt = prompts[judgment.prompt_id]
        example = RankedExample(
            judgment_id=judgment.id,
            prompt=model.chat.encode(prompt),
            candidates=[responses[i].token_ids for i in ranks],
            ranks=list(ranks.values()),
        )
        if prompt.split == "heldout":
            found.heldout.append(example)
        else:
            (found.old if judgment.id in learned else found.new).append(example)
        if all(responses[i].version == start for i in ranks):
            found.reference.append(example)
    return found


def _check(examples: _Examples) -> None:
    if not examples.new:
        raise NotEnoughData(
            f"0 judgments on training prompts ({len(examples.heldout)} on held-out ones, which "
            "never train): "
            "rank some with lab.rank() first."
        )
    if all(len(set(e.ranks)) == 1 for e in examples.new):
        raise NotEnoughData(
            f"all {len(examples.new)} new rankings are one single tie: they say nothing about what "
            "is better. "
            "Rank some prompts whose responses differ."
        )


def _scores_by_judgment(
    trainer: RewardTrainer, examples: Sequence[RankedExample], *, progress: bool
) -> dict[str, Tensor]:
    """Scores of each example, which is run once however often it is listed."""
    once = {e.judgment_id: e for e in examples}
    return dict(zip(once, trainer.scores(list(once.values()), progress=progress), strict=True))


def _accuracy(examples: Sequence[RankedExample], scores: Sequence[Tensor]) -> Interval | None:
    right = [ordered_pairs_right(s, e.ranks) for s, e in zip(scores, examples, strict=True)]
    return bootstrap_mean(right) if any(right) else None


def _save(
    tree: VersionTree,
    store: PreferenceStore,
    trainer: RewardTrainer,
    parent: Version | None,
    report: RewardReport,
    learned: set[str],
) -> None:
    metrics = {"rankings": float(len(learned)), "loss": report.loss_last}
    for name in ("heldout_accuracy", "prequential_accuracy"):
        if (interval := getattr(report, name)) is not None:
            metrics[name] = interval.estimate
    state = {"learned": sorted(learned), "report": asdict(report)}
    note = VersionNote(parent=parent.name if parent else None, metrics=metrics)
    tree.save("reward", Checkpoint(tensors=trainer.state(), state=state), note)
    store.log_metrics("reward", report.version, 0, metrics)


def _report_from(stored: Mapping[str, Any]) -> RewardReport:
    intervals = {
        name: Interval(**stored[name]) if stored[name] else None
        for name in ("heldout_accuracy", "prequential_accuracy")
    }
    return RewardReport(**{**stored, **intervals})


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
