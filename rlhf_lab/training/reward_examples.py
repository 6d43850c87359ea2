"""A lab's judgments as what the reward role learns from and is measured on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from rlhf_lab.errors import NotEnoughData, StoreError
from rlhf_lab.models import RoleModel
from rlhf_lab.store import PreferenceStore
from rlhf_lab.training.ranking_trainer import RankedExample
from rlhf_lab.types import Judgment, Prompt, Ranking, Response

# Shown to learn something about whoever judges, or to teach them: known answers, and what they said
# before.
ABOUT_PEOPLE = ("gold", "repeat", "calibration")


class RepeatedPairs(NamedTuple):
    """Pairs that two or more rankings put in an order, and those put in both orders."""

    total: int
    contradicting: int


@dataclass(frozen=True, kw_only=True)
class LabExamples:
    """A lab's rankings in tokens, by what they are for.

    Attributes:
        repeated: How far the judgments behind all rankings contradict each other.
        new: On training prompts, not learned from yet.
        old: On training prompts, learned from before.
        heldout: On held-out prompts.
        reference: Those of any split whose responses are all the starting policy's.
    """

    repeated: RepeatedPairs
    new: list[RankedExample] = field(default_factory=list)
    old: list[RankedExample] = field(default_factory=list)
    heldout: list[RankedExample] = field(default_factory=list)
    reference: list[RankedExample] = field(default_factory=list)

    def check(self) -> None:
        """Refuse to learn from nothing.

        Raises:
            NotEnoughData: no new rankings, or every one is a single tie.
        """
        if not self.new:
            raise NotEnoughData(
                f"0 judgments on training prompts ({len(self.heldout)} on held-out ones, which "
                "never train): rank some with lab.rank() first."
            )
        if all(len(set(e.ranks)) == 1 for e in self.new):
            raise NotEnoughData(
                f"all {len(self.new)} new rankings are one single tie: they say nothing about "
                "what is better. Rank some prompts whose responses differ."
            )


def lab_examples(
    model: RoleModel, store: PreferenceStore, learned: Set[str], start: str
) -> LabExamples:
    """Every ranking that counts, sorted by use; without those that measure annotators.

    Args:
        model: Encodes the prompts.
        store: Where judgments are.
        learned: Ids of judgments that the present reward version has seen.
        start: The version whose responses scores are normalised on.

    Raises:
        StoreError: a judgment names a prompt or response that the lab does not hold.
        PromptError: a prompt and an imported answer exceed the model's context together.
    """
    prompts = {p.id: p for p in store.prompts()}
    responses = {r.id: r for r in store.responses()}
    judgments = [j for j in store.judgments() if j.occasion not in ABOUT_PEOPLE]
    rankings = [j.ranking for j in judgments if j.ranking]
    found = LabExamples(repeated=repeated_pairs(rankings))
    for judgment, ranking in zip(judgments, rankings, strict=True):
        _refuse_unknown(judgment, ranking, prompts, responses)
        ranks = ranking.ranks()
        prompt = prompts[judgment.prompt_id]
        candidates = [_tokens(model, responses[i]) for i in ranks]
        example = RankedExample(
            judgment_id=judgment.id,
            prompt=model.chat.encode(prompt, room=max(map(len, candidates))),
            candidates=candidates,
            ranks=list(ranks.values()),
            strength=judgment.strength,
        )
        if prompt.split == "heldout":
            found.heldout.append(example)
        else:
            (found.old if judgment.id in learned else found.new).append(example)
        if all(responses[i].version == start for i in ranks):
            found.reference.append(example)
    return found


def _tokens(model: RoleModel, response: Response) -> tuple[int, ...]:
    """Of an answer from elsewhere, what a policy that said it would have sampled."""
    return response.token_ids or model.chat.encode_answer(response.text)


def repeated_pairs(rankings: Iterable[Ranking]) -> RepeatedPairs:
    """Pairs of responses ordered by several rankings; whoever made them. Ties contradict nothing.

    Contradicting judgments are not refused: people differ, and the model learns the share of
    those who prefer each side. How often it happens bounds the accuracy that can be reached.
    """
    orders: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    for ranking in rankings:
        ranks = ranking.ranks()
        for first, second in combinations(sorted(ranks), 2):
            if ranks[first] != ranks[second]:
                orders[first, second].append(ranks[first] < ranks[second])
    repeated = [order for order in orders.values() if len(order) > 1]
    return RepeatedPairs(len(repeated), sum(len(set(order)) == 2 for order in repeated))


def _refuse_unknown(
    judgment: Judgment,
    ranking: Ranking,
    prompts: Mapping[str, Prompt],
    responses: Mapping[str, Response],
) -> None:
    """The store refuses such judgments; here the database was changed by other hands."""
    missing = [f"response {i!r}" for i in ranking.response_ids if i not in responses]
    if judgment.prompt_id not in prompts:
        missing.insert(0, f"prompt {judgment.prompt_id!r}")
    if missing:
        raise StoreError(
            f"judgment {judgment.id!r} by {judgment.annotator!r} names {', '.join(missing)}, which "
            "the lab does not hold: its database is damaged. Restore a backup, or take this "
            "judgment back: store.submit(Judgment(kind='undo', ...)) with its id as supersedes."
        )
