"""What a lab's reward update measures, and what it refuses."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rlhf_lab import Lab, RubricAnnotator
from rlhf_lab.annotators import rank_all
from rlhf_lab.errors import NonFiniteError, StoreError
from rlhf_lab.training import RewardTrainer
from rlhf_lab.training.ranking_trainer import ordered_pairs_right
from rlhf_lab.types import Judgment, Ranking
from tests.lab.labs import REWARD
from tests.tiny import same


class Contrary:
    """Ranks as the rubric does, upside down."""

    name = "contrary"

    def rank(self, prompt, candidates) -> Ranking:
        found = RubricAnnotator().rank(prompt, candidates)
        return Ranking(tiers=found.tiers[::-1])


def judge_again(lab: Lab) -> None:
    """Two more annotators on the items that are ranked already, who never agree."""
    for annotator in (RubricAnnotator(), Contrary()):
        rank_all(lab.queue(annotator.name), annotator)


def most_that_can_be_right(lab: Lab) -> float:
    """Share of the ordered pairs on held-out prompts that the best fixed order gets right."""
    heldout = {p.id for p in lab.store.prompts(split="heldout")}
    said: Counter[tuple[str, str]] = Counter()
    for judgment in lab.store.judgments():
        if judgment.prompt_id in heldout:
            ranks = judgment.ranking.ranks()
            said.update((a, b) for a in ranks for b in ranks if ranks[a] < ranks[b])
    pairs = {tuple(sorted(pair)) for pair in said}
    return sum(max(said[a, b], said[b, a]) for a, b in pairs) / said.total()


def untouched(lab: Lab, before: dict, versions: list[str]) -> bool:
    return (
        same(lab.model.state("reward"), before)
        and [v.name for v in lab.store.versions()] == versions
        and lab._bench.tree.head("reward").name == "reward@0"
    )


def test_contradicting_judgments_train_and_are_counted(taught: Lab):
    judge_again(taught)
    report = taught.update_reward(REWARD)
    assert report.version == "reward@1"
    assert 0 < report.contradicting_pairs <= report.repeated_pairs
    assert "contradict each other" in str(report)
    # Of what is said both ways, nobody can be right about more than the majority.
    best = most_that_can_be_right(taught)
    assert best < 1
    assert 1 - best <= report.heldout_accuracy.estimate <= best


def test_intervals_count_prompts_however_often_they_were_judged(taught: Lab):
    judge_again(taught)
    heldout = {p.id for p in taught.store.prompts(split="heldout")}
    judged = [j.prompt_id for j in taught.store.judgments()]
    report = taught.update_reward(REWARD)
    ranked = len(heldout & set(judged))
    assert len([j for j in judged if j in heldout]) == 3 * ranked
    assert report.heldout_accuracy.n <= ranked
    assert report.prequential_accuracy.n <= report.rankings / 2
    assert report.heldout_accuracy.low < report.heldout_accuracy.high


def test_calibration_covers_the_ordered_pairs_of_held_out_prompts(taught: Lab):
    report = taught.update_reward(REWARD)
    split = {p.id: p.split for p in taught.store.prompts()}
    pairs = 0
    for judgment in taught.store.judgments():
        if split[judgment.prompt_id] == "heldout":
            ranks = list(judgment.ranking.ranks().values())
            pairs += sum(a < b for i, a in enumerate(ranks) for b in ranks[i + 1 :])
    assert report.calibration.pairs == pairs
    assert report.calibration.accuracy == pytest.approx(report.heldout_accuracy.estimate)
    metrics = taught.store.version("reward@0").metrics
    assert metrics["calibration_error"] == report.calibration.error
    assert (report.epochs, report.kept_epoch, report.kept_by) == (2, 2, "the last")


def test_strengths_reach_the_trainer(taught: Lab, monkeypatch):
    said = taught.store.judgments()
    for judgment in said:
        strength = "much" if len(judgment.ranking.tiers) > 1 else None
        taught.store.submit(
            replace(judgment, id=f"{judgment.id} again", annotator="me", strength=strength)
        )
    seen = {}
    fit = RewardTrainer.fit

    def watched(self, new, old=(), **options):
        seen.update({e.judgment_id: e.strength for e in [*new, *old, *options["heldout"]]})
        return fit(self, new, old, **options)

    monkeypatch.setattr(RewardTrainer, "fit", watched)
    taught.update_reward(REWARD)
    assert {seen[f"{j.id} again"] for j in said} >= {"much"}
    assert {seen[j.id] for j in said} == {None}


@pytest.mark.parametrize("moment", ["before", "after"])
def test_scores_that_are_not_finite_make_no_version(taught: Lab, monkeypatch, moment: str):
    judge_again(taught)
    present = taught._bench.tree.load(taught.store.version("reward@0")).tensors["reward"]
    versions = [v.name for v in taught.store.versions()]
    name = "load_state" if moment == "before" else "fit"
    original = getattr(RewardTrainer, name)

    def breaking(self, *args, **options):
        result = original(self, *args, **options)
        with torch.no_grad():
            self.model.head("reward").bias.fill_(float("nan"))
        return result

    with monkeypatch.context() as patch:
        patch.setattr(RewardTrainer, name, breaking)
        with pytest.raises(NonFiniteError, match=r"scores \[nan, nan, nan\] for judgment '"):
            taught.update_reward(REWARD)
    if moment == "after":
        assert untouched(taught, present, versions)
    assert taught.store.counts().versions == len(versions)
    # The next update starts from the version on disk and is none the worse.
    assert taught.update_reward(REWARD).version == "reward@1"


def test_a_judgment_of_what_is_gone_is_named(taught: Lab, path: Path):
    judge_again(taught)
    victim = taught.store.judgments()[-1]
    gone = victim.shown_order[0]
    before, versions = taught.model.state("reward"), [v.name for v in taught.store.versions()]
    with closing(sqlite3.connect(path / "lab.sqlite", isolation_level=None)) as database:
        database.execute("DELETE FROM responses WHERE id = ?", (gone,))
    judgments = [j for j in taught.store.judgments() if gone in j.shown_order]
    with pytest.raises(StoreError) as error:
        taught.update_reward(REWARD)
    assert f"judgment {judgments[0].id!r}" in str(error.value)
    assert f"names response {gone!r}" in str(error.value)
    assert "Restore a backup, or take this judgment back" in str(error.value)
    assert untouched(taught, before, versions)
    for judgment in judgments:
        taught.store.submit(
            Judgment(
                id=f"undo {judgment.id}",
                prompt_id=judgment.prompt_id,
                annotator=judgment.annotator,
                kind="undo",
                supersedes=judgment.id,
            )
        )
    assert taught.update_reward(REWARD).version == "reward@1"


def test_early_stopping_says_that_a_small_lab_cannot_choose(taught: Lab):
    judge_again(taught)
    report = taught.update_reward(replace(REWARD, patience=1))
    assert (report.epochs, report.kept_epoch) == (2, 2)
    assert "epoch 2 of 2 (the last: too few held-out prompts)" in str(report)


class ById:
    """An order that no reward model knows beforehand, and every one can learn by heart."""

    name = "by id"

    def rank(self, prompt, candidates) -> Ranking:
        return Ranking(tiers=tuple((i,) for i in sorted(c.id for c in candidates)))


def test_new_judgments_are_scored_before_they_are_learned_from(taught: Lab, monkeypatch):
    """By the version of before, whose moments the optimizer goes on with."""
    taught.generate(k=2, prompts=8, heldout=0)
    rank_all(taught.queue("by id"), ById())
    tensors = taught._bench.tree.load(taught.store.version("reward@0")).tensors
    seen: dict = {}
    fit = RewardTrainer.fit

    def accuracy(trainer: RewardTrainer, examples) -> float:
        scores = trainer.scores(examples)
        pairs = zip(scores, examples, strict=True)
        right = [r for s, e in pairs for r in ordered_pairs_right(s, e.ranks)]
        return sum(right) / len(right)

    def watched(self, new, old=(), **options):
        seen["moments"] = self.optimizer.state()
        seen["before"] = accuracy(self, new)
        result = fit(self, new, old, **options)
        seen["after"] = accuracy(self, new)
        return result

    monkeypatch.setattr(RewardTrainer, "fit", watched)
    report = taught.update_reward(replace(REWARD, epochs=12, learning_rate=0.02))
    assert same(seen["moments"], dict(tensors["optimizer"]))
    assert seen["after"] > seen["before"] + 0.1
    assert report.prequential_accuracy.estimate == pytest.approx(seen["before"])
    assert 0 < report.prequential_accuracy.n <= report.rankings
