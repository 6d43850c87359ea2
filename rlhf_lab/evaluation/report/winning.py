"""Did it get better? By a judge on the stored answers, and by the people who compared them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlhf_lab.evaluation.report.contents import Card, OutcomeName, Outcomes, Pair, Samples, Win
from rlhf_lab.evaluation.report.naming import is_rubric
from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.showing import counted
from rlhf_lab.types import Annotator, Evaluation, Interval, Prompt, Response, wilson_interval

if TYPE_CHECKING:
    from rlhf_lab.evaluation.honest import LengthControlled
    from rlhf_lab.evaluation.win_rate import EvalReport

# Samples on the page.
SHOWN = 9
# People lead the page from so many prompts on: below, one opinion moves the figure too far.
FEWEST_COMPARED = 8


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A prompt that both versions answered under the same settings, in a stored evaluation."""

    prompt: Prompt
    before: Response
    after: Response


def answered(store: PreferenceStore, present: str, baseline: str) -> tuple[Answered, ...]:
    """The held-out prompts that both answered for an evaluation, in the order they were added.

    Of evaluations with other sampling settings the last one counts.
    """
    after, before = (
        [r for r in store.responses(version=name) if r.purpose == "evaluation"]
        for name in (present, baseline)
    )
    prompts = store.prompts("heldout")
    settings = {r.sampling for r in before}
    sampling = next((r.sampling for r in reversed(after) if r.sampling in settings), None)
    ours, theirs = (
        {r.prompt_id: r for r in some if r.sampling == sampling} for some in (after, before)
    )
    return tuple(
        Answered(prompt=p, before=theirs[p.id], after=ours[p.id])
        for p in prompts
        if p.id in ours and p.id in theirs
    )


def judged(
    pairs: Sequence[Answered],
    stored: Evaluation | None,
    judge: Annotator,
    *,
    seed: int,
) -> Win | None:
    """What a judge says of stored answers, or else what was found and is all there is.

    Args:
        pairs: As from `answered`.
        stored: What `lab.evaluate` found with this judge, or with one whose name is not kept.
        judge: Is asked about every pair.
        seed: Of the intervals.
    """
    if not pairs:
        return None if stored is None else _without_answers(stored)
    from rlhf_lab.evaluation.win_rate import compare_versions

    report = compare_versions(
        [p.prompt for p in pairs],
        [p.before for p in pairs],
        [p.after for p in pairs],
        judge,
        kl=0.0,  # which nothing here reads
        seed=seed,
    )
    return _win(report, _agrees(report.win_rate, stored), seed)


def reported(reports: Sequence[EvalReport], present: str, baseline: str, seed: int) -> list[Win]:
    """Of the evaluations that were handed in, those that compare these two."""
    fit = [r for r in reports if (r.version, r.baseline) == (present, baseline)]
    return [_win(report, "", seed) for report in fit]


def _win(report: EvalReport, note: str, seed: int) -> Win:
    pairs = tuple(
        Pair(prompt=s.prompt, before=s.before, after=s.after, outcome=s.outcome)
        for s in report.samples
    )
    return Win(
        by=report.judge,
        is_people=False,
        rate=report.win_rate,
        controlled=_controlled(pairs, seed),
        note=note,
        pairs=pairs,
    )


def _agrees(found: Interval, stored: Evaluation | None) -> str:
    """What to say where the stored evaluation rests on something else."""
    if stored is None:
        return "Judged for this page, on the answers that are stored."
    rate = stored.win_rate
    if rate.n == found.n and abs(rate.estimate - found.estimate) < 1e-9:
        return ""
    or_judge = "" if stored.judge else " or by another judge, whose name is not stored"
    return (
        "Judged for this page, on the answers that are stored. The evaluation itself found "
        f"{rate.estimate:.2f} [{rate.low:.2f}, {rate.high:.2f}] on {rate.n} prompts, with other "
        f"answers{or_judge}."
    )


def as_stored(stored: Sequence[Evaluation], shown: Sequence[str]) -> list[Win]:
    """What other judges than those shown found, the last one first; their word is all there is."""
    others = [e for e in reversed(stored) if e.judge is not None and e.judge not in shown]
    return [_without_answers(e) for e in others]


def _without_answers(stored: Evaluation) -> Win:
    return Win(
        by=stored.judge or "a judge whose name is not stored",
        is_people=False,
        rate=stored.win_rate,
        controlled=None,
        note="As the evaluation found it.",
    )


def compared(
    store: PreferenceStore, present: str, baseline: str, prompts: Mapping[str, Prompt], seed: int
) -> Win | None:
    """What people said of one answer of each, shown to them blind; the rubric is no person.

    Who compared the same pair again is counted once, by what they said last. A prompt counts once,
    with the mean of what everybody said.
    """
    responses = {r.id: r for name in (present, baseline) for r in store.responses(version=name)}
    said: dict[str, dict[str, Pair]] = {}
    for judgment in store.judgments():
        shown = [responses[i] for i in judgment.shown_order if i in responses]
        if len(judgment.shown_order) != 2 or {r.version for r in shown} != {present, baseline}:
            continue
        if is_rubric(judgment.annotator) or judgment.occasion == "calibration":
            continue
        assert judgment.ranking is not None  # rankings alone were asked for
        ranks = judgment.ranking.ranks()
        after, before = sorted(shown, key=lambda r: r.version != present)
        outcome = 0.5 + 0.5 * (
            (ranks[after.id] < ranks[before.id]) - (ranks[after.id] > ranks[before.id])
        )
        pair = Pair(prompt=prompts[judgment.prompt_id], before=before, after=after, outcome=outcome)
        said.setdefault(judgment.prompt_id, {})[judgment.annotator] = pair
    if not said:
        return None
    people = {name for of_prompt in said.values() for name in of_prompt}
    pairs = tuple(_mean_pair(list(of_prompt.values())) for of_prompt in said.values())
    share = sum(p.outcome for p in pairs) / len(pairs)
    return Win(
        by="1 person" if len(people) == 1 else f"{len(people)} people",
        is_people=True,
        rate=wilson_interval(share, len(pairs)),
        controlled=_controlled(pairs, seed),
        note="",
        pairs=pairs,
    )


def _mean_pair(said: Sequence[Pair]) -> Pair:
    """The pair that the last one compared, with the mean of all outcomes."""
    last = said[-1]
    mean = sum(p.outcome for p in said) / len(said)
    return Pair(prompt=last.prompt, before=last.before, after=last.after, outcome=mean)


def _controlled(pairs: Sequence[Pair], seed: int) -> LengthControlled:
    from rlhf_lab.evaluation.honest import length_controlled

    return length_controlled(
        [p.outcome for p in pairs],
        [len(p.after.text) for p in pairs],
        [len(p.before.text) for p in pairs],
        seed=seed,
    )


def leading_first(wins: Sequence[Win]) -> tuple[Win, ...]:
    """People before judges, once they compared enough."""
    return tuple(sorted(wins, key=lambda w: not (w.is_people and w.rate.n >= FEWEST_COMPARED)))


def answer(wins: Sequence[Win], present: str, baseline: str | None) -> str:
    """The verdict of the leading one, in words."""
    if baseline is None:
        return "Nothing to compare yet: the policy is where it starts."
    if not wins:
        return f"Not measured: {present} was not compared with {baseline}."
    return {
        "better": f"Yes: {present} is preferred to its start.",
        "unclear": f"No clear difference between {present} and its start.",
        "worse": f"No: {present} is worse than its start.",
    }[wins[0].verdict]


def remarks(wins: Sequence[Win]) -> Iterator[str]:
    """What a reader must know before they repeat the verdict."""
    if not wins:
        return
    lead = wins[0]
    if lead.rate.n < FEWEST_COMPARED:
        yield f"Rests on {counted(lead.rate.n, 'prompts')} alone: too few to go by."
    for other in wins[1:]:
        if {lead.verdict, other.verdict} == {"better", "worse"}:
            yield f"{_who(other)} disagrees with {_who(lead, start=False)}: read the samples."
    if lead.verdict != "unclear" and lead.controlled is not None:
        equal = lead.controlled.win_rate
        if (equal.low > 0.5) != (lead.rate.low > 0.5) or (equal.high < 0.5) != (
            lead.rate.high < 0.5
        ):
            yield (
                "At equal length this is not shown: part of the difference is how long the "
                "answers are."
            )
    if not any(w.is_people for w in wins):
        yield (
            "No person compared the two: this is what a judge in code or a model says, and as far "
            "as it can be trusted."
        )
    elif not lead.is_people:
        yield (
            f"People compared fewer than {FEWEST_COMPARED} prompts, so the judge leads this page."
        )


def _who(win: Win, *, start: bool = True) -> str:
    told = win.by if win.is_people else f"the judge {win.by}"
    return told[0].upper() + told[1:] if start else told


# Samples


def samples(
    wins: Sequence[Win], scores: Mapping[str, float], reward: str, shown: int = SHOWN
) -> Samples | None:
    """Some pairs of each outcome, picked by their place alone: nobody chose the nice ones."""
    lead = next((w for w in wins if w.pairs), None)
    if lead is None:
        return None
    names: tuple[OutcomeName, ...] = ("won", "tied", "lost")
    places = {name: [i for i, p in enumerate(lead.pairs) if p.name == name] for name in names}
    shares = dealt([len(found) for found in places.values()], shown)
    outcomes = tuple(
        Outcomes(
            name=name,
            count=len(found),
            cards=tuple(_card(i, lead.pairs[i], scores) for i in spread(found, share)),
        )
        for (name, found), share in zip(places.items(), shares, strict=True)
    )
    systems = {_system(p.prompt) for p in lead.pairs}
    return Samples(
        outcomes=outcomes,
        total=len(lead.pairs),
        by=lead.by,
        system=systems.pop() if len(systems) == 1 else "",
        reward=reward if any(p.after.id in scores for p in lead.pairs) else "",
    )


def _card(place: int, pair: Pair, scores: Mapping[str, float]) -> Card:
    return Card(
        number=place + 1,
        pair=pair,
        before=scores.get(pair.before.id),
        after=scores.get(pair.after.id),
    )


def _system(prompt: Prompt) -> str:
    first = prompt.messages[0]
    return first.content if first.role == "system" else ""


def dealt(counts: Sequence[int], total: int) -> list[int]:
    """Deal up to `total` places, one at a time, to groups that still have something to show."""
    shares = [0] * len(counts)
    while sum(shares) < min(total, sum(counts)):
        for i, count in enumerate(counts):
            shares[i] += shares[i] < count and sum(shares) < total
    return shares


def spread(places: Sequence[int], count: int) -> list[int]:
    """So many of them, evenly spread."""
    return [places[i * len(places) // count] for i in range(count)]
