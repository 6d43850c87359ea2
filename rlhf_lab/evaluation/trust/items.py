"""What people picked, with what a text is to be like where that is known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from rlhf_lab.errors import ConfigError, JudgmentError, NotEnoughData
from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.showing import counted
from rlhf_lab.types import Demonstration, Judgment, Prompt, Ranking, Response, Split

# Where references come from: what people wrote for a prompt, the best of the ranked candidates
# themselves, or texts by prompt.
References: TypeAlias = Literal["demonstrations", "best"] | Mapping[str, str | Sequence[str]]

# Whoever is about to be told the answer practises: that says nothing of the data.
_PRACTICE = "calibration"


@dataclass(frozen=True, kw_only=True)
class TrustItem:
    """One person's ranking of some candidates.

    Attributes:
        candidates: In the order in which a judge is shown them.
        ranking: Of exactly these.
        references: What a text should be like; empty where nothing says so.
    """

    prompt: Prompt
    candidates: tuple[Response, ...]
    ranking: Ranking
    annotator: str
    references: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse rankings of other candidates."""
        shown = {one.id for one in self.candidates}
        if len(shown) != len(self.candidates) or shown != set(self.ranking.response_ids):
            raise JudgmentError(
                f"ranked {sorted(self.ranking.response_ids)}, candidates {sorted(shown)}: an item "
                "has the ranking of exactly its candidates. Leave out what was not ranked."
            )

    @property
    def has_order(self) -> bool:
        """Whether anything is above anything."""
        return len(self.ranking.tiers) > 1

    def without_best(self) -> TrustItem | None:
        """Its best candidate as the reference, and the order of the others; of tied ones the first.

        None if the others are fewer than two, or all tied.
        """
        best = min(self.ranking.tiers[0])
        rest = (tuple(i for i in tier if i != best) for tier in self.ranking.tiers)
        tiers = tuple(tier for tier in rest if tier)
        if len(tiers) < 2:
            return None
        texts = {one.id: one.text for one in self.candidates}
        return replace(
            self,
            candidates=tuple(one for one in self.candidates if one.id != best),
            ranking=Ranking(tiers=tiers),
            references=(texts[best],),
        )


class StoredItems(NamedTuple):
    """Items of a store, and what was left out of it and why, a sentence each."""

    items: list[TrustItem]
    notes: tuple[str, ...]


def stored_items(
    store: PreferenceStore,
    *,
    references: References = "demonstrations",
    annotators: Collection[str] | None = None,
    split: Split | None = None,
) -> StoredItems:
    """Every ranking that counts, without those for practice; of the same item again the last.

    Args:
        store: Of a lab.
        references: "demonstrations": the newest one for the prompt, which is no edit of one of the
            candidates, as that would be near its own source whatever it is worth. "best": each
            ranking's best candidate, which is then no longer picked from. Or texts by prompt, a
            prompt's id or its text.
        annotators: Only these.
        split: Only prompts of this split: "heldout" for a judge that learned from the others.

    Raises:
        NotEnoughData: nothing was ranked, or everything tied.
        ConfigError: texts were given, and none is for a prompt that was ranked.
    """
    prompts = {one.id: one for one in store.prompts(split)}
    judgments = _last(
        one
        for one in store.judgments()
        if one.prompt_id in prompts
        and one.occasion != _PRACTICE
        and (annotators is None or one.annotator in annotators)
    )
    if not judgments:
        raise NotEnoughData(
            "0 rankings that count: rank some items (`lab.rank()`), or ask for other annotators or "
            "prompts."
        )
    texts = {one.id: one for one in store.responses() if one.prompt_id in prompts}
    items = [_item(one, prompts[one.prompt_id], texts) for one in judgments]
    ordered = [one for one in items if one.has_order]
    notes = _left_out(len(items) - len(ordered), "judgments tie all candidates.")
    if references == "best":
        found = [rest for one in ordered if (rest := one.without_best())]
        notes += _left_out(
            len(ordered) - len(found), "judgments leave nothing to order behind their best answer."
        )
    elif references == "demonstrations":
        found, edited = _with_demonstrations(ordered, store.demonstrations())
        notes += _left_out(
            edited, "judgments have no reference but an edit of one of their own candidates."
        )
    elif isinstance(references, Mapping):
        found = _with_texts(ordered, references)
    else:
        raise ConfigError(
            f"references={references!r}: 'demonstrations', 'best', or texts by prompt id."
        )
    if not found:
        raise NotEnoughData(f"nothing to measure by: {' '.join(notes)}")
    return StoredItems(found, notes)


def _last(judgments: Iterable[Judgment]) -> list[Judgment]:
    """The last of each annotator and item, so that who was asked again does not count twice."""
    found: dict[tuple[str, frozenset[str]], Judgment] = {}
    for one in judgments:
        found[one.annotator, frozenset(one.shown_order)] = one
    return list(found.values())


def _item(judgment: Judgment, prompt: Prompt, texts: Mapping[str, Response]) -> TrustItem:
    assert judgment.ranking is not None  # rankings alone were asked for
    return TrustItem(
        prompt=prompt,
        candidates=tuple(texts[i] for i in judgment.shown_order),
        ranking=judgment.ranking,
        annotator=judgment.annotator,
    )


def _left_out(number: int, why: str) -> tuple[str, ...]:
    """As in "1 judgment tie ..." made right for one, and nothing for none."""
    if not number:
        return ()
    things, verb, *rest = why.split(" ")
    verb = {"tie": "ties", "leave": "leaves", "have": "has"}[verb] if number == 1 else verb
    told = " ".join([counted(number, things), verb, *rest])
    return (told.replace("their", "its") if number == 1 else told,)


def _with_demonstrations(
    items: Sequence[TrustItem], written: Sequence[Demonstration]
) -> tuple[list[TrustItem], int]:
    """And how many items have demonstrations that are edits of their candidates alone."""
    by_prompt: dict[str, list[Demonstration]] = {}
    for one in written:
        by_prompt.setdefault(one.prompt_id, []).insert(0, one)
    found, edited = [], 0
    for item in items:
        newest_first = by_prompt.get(item.prompt.id, [])
        shown = {one.id for one in item.candidates}
        fit = [one.text for one in newest_first if one.edited_from not in shown]
        found.append(replace(item, references=tuple(fit[:1])))
        edited += bool(newest_first) and not fit
    return found, edited


def _with_texts(
    items: Sequence[TrustItem], texts: Mapping[str, str | Sequence[str]]
) -> list[TrustItem]:
    found = []
    for item in items:
        given = texts.get(item.prompt.id, texts.get(item.prompt.text, ()))
        references = (given,) if isinstance(given, str) else tuple(given)
        found.append(replace(item, references=references))
    if not any(item.references for item in found):
        raise ConfigError(
            f"references for {len(texts)} prompts, and none for one that was ranked: their keys "
            f"are prompt ids such as {items[0].prompt.id!r}, or the prompts' texts."
        )
    return found
