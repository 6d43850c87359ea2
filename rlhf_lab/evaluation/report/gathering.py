"""From a store to everything that the page shows. Needs no model, and loads none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rlhf_lab.annotators import RubricAnnotator
from rlhf_lab.evaluation.report import path as path_of
from rlhf_lab.evaluation.report.checkpoints import alarms_in, reports_of, settings_in
from rlhf_lab.evaluation.report.contents import Contents, Effects, Samples, Trusted, Win
from rlhf_lab.evaluation.report.effects import effects
from rlhf_lab.evaluation.report.made import byline, facts, newest, packages
from rlhf_lab.evaluation.report.naming import shown_names
from rlhf_lab.evaluation.report.trusted import trusted
from rlhf_lab.evaluation.report.winning import (
    Answered,
    answer,
    answered,
    as_stored,
    compared,
    judged,
    leading_first,
    remarks,
    reported,
    samples,
)
from rlhf_lab.store import PreferenceStore, baseline_of, version_records
from rlhf_lab.store import evaluations as stored_evaluations
from rlhf_lab.store.showing import moment
from rlhf_lab.types import START, Alarm, Annotator, Evaluation

if TYPE_CHECKING:
    from rlhf_lab.evaluation.trust import TrustReport
    from rlhf_lab.evaluation.win_rate import EvalReport


def gather(
    store: PreferenceStore,
    *,
    title: str,
    folder: Path | None = None,
    evaluations: Sequence[EvalReport] = (),
    judge: Annotator | None = None,
    scores: Mapping[str, float] | None = None,
    reward: str = "",
    trust: TrustReport | None = None,
    alarms: Sequence[Alarm] = (),
    settings: Sequence[tuple[str, str]] = (),
    names: bool = False,
    date: datetime | None = None,
    seed: int = 0,
) -> Contents:
    """Everything `write_report` writes; its arguments, and the errors of the judge."""
    present = store.get_setting("head.policy") or START
    line = path_of.line_names(store, present)
    baseline = _baseline(store, present)
    everybody = store.judgments(kinds=("ranking", "skip"), include_superseded=True)
    called = shown_names((j.annotator for j in everybody), names=names)
    pairs: tuple[Answered, ...] = ()
    wins: tuple[Win, ...] = ()
    if baseline is not None:
        pairs = answered(store, present, baseline)
        wins = _wins(store, present, baseline, pairs, evaluations, judge, called, seed)
    found = samples(wins, scores or {}, reward)
    effect = effects(store, pairs, scores or {}, seed=seed)
    trusts = trusted(store, folder, called, trust=trust, seed=seed)
    when = date or newest(store)
    curved = path_of.curves(store, line, baseline) if baseline and line else path_of.Curves()
    trained = settings_in(folder, (v for v in store.versions() if v.parent or v.role == "reward"))
    sampling = pairs[0].after.sampling if pairs else None
    return Contents(
        title=title,
        byline=byline(store, when),
        present=present,
        baseline=baseline,
        answer=answer(wins, present, baseline),
        wins=wins,
        remarks=tuple(remarks(wins)),
        samples=found,
        tree=path_of.tree_lines(store, line, baseline),
        curves=curved.charts,
        curves_meaning=curved.meaning,
        training=path_of.training_curves(store, line),
        alarms=tuple(_alarms(store, folder, present, line, alarms)),
        trust=trusts,
        effects=effect,
        facts=tuple(facts(store, sampling, settings=[*trained, *settings])),
        head=store.chain_head(),
        packages=packages(),
        limits=tuple(_limits(store, baseline, wins, found, effect, trusts)),
        date="" if when is None else moment(when),
    )


def _baseline(store: PreferenceStore, present: str) -> str | None:
    """What the present policy is measured from; None for the first of all."""
    found = baseline_of(store, present)
    return None if found == present else found


def _wins(
    store: PreferenceStore,
    present: str,
    baseline: str,
    pairs: Sequence[Answered],
    evaluations: Sequence[EvalReport],
    judge: Annotator | None,
    called: Mapping[str, str],
    seed: int,
) -> tuple[Win, ...]:
    people = compared(store, present, baseline, {p.id: p for p in store.prompts()}, seed)
    given = reported(evaluations, present, baseline, seed)
    stored = _stored(store, present, baseline)
    if not given or judge is not None:
        asked = judge or RubricAnnotator()
        same = next((e for e in reversed(stored) if e.judge in (asked.name, None)), None)
        one = judged(pairs, same, asked, seed=seed)
        now = [one] if one is not None else []
    else:
        now = []
    of_others = as_stored(stored, [win.by for win in (*given, *now)])
    # The rubric that nobody asked for comes after the judges that somebody chose.
    by_judge = [*given, *now, *of_others] if judge is not None else [*given, *of_others, *now]
    # A judge may be a person who is to have no name here.
    renamed = [replace(win, by=called.get(win.by, win.by)) for win in by_judge]
    return leading_first([*renamed, *([people] if people is not None else [])])


def _stored(store: PreferenceStore, present: str, baseline: str) -> list[Evaluation]:
    """The latest by each judge."""
    for record in version_records(store):
        if record.version.name == present:
            return [e for e in record.evaluations if e.baseline == baseline]
    return []


def _alarms(
    store: PreferenceStore,
    folder: Path | None,
    present: str,
    line: Sequence[str],
    given: Sequence[Alarm],
) -> Iterator[str]:
    """Of the last evaluation, of the reward updates, and what else the caller knows; each once."""
    from rlhf_lab.evaluation.decline import stored_alarm

    found: list[Alarm] = []
    if line and (one := stored_alarm(store, present, _reward_of(store, present))) is not None:
        found.append(one)
    for version in store.versions():
        if version.role == "reward":
            found += alarms_in(reports_of(folder, version))
    yield from dict.fromkeys(str(alarm) for alarm in [*found, *given])


def _reward_of(store: PreferenceStore, present: str) -> str | None:
    """The reward version that the present policy's last evaluation asked."""
    kept = stored_evaluations(store, present)
    return kept[-1].found.reward if kept else None


def _limits(
    store: PreferenceStore,
    baseline: str | None,
    wins: Sequence[Win],
    found: Samples | None,
    effect: Effects,
    trusts: Trusted,
) -> Iterator[str]:
    """What was not measured; what nobody measured is the first thing that a reader has to know."""
    if baseline is None:
        yield "No policy was trained from the start yet, so nothing here says what training does."
    elif not wins:
        yield "The present policy was not compared with its start: run lab.evaluate()."
    if baseline is not None and not any(win.is_people for win in wins):
        yield "No person compared the policy with its start: run lab.compare() and report again."
    if found is not None and not found.reward:
        yield "What the reward model gives the samples was not asked: lab.report(scores=True)."
    if trusts.agreement is None:
        yield "Nobody ranked anything: how far people agree is not known."
    elif not trusts.agreement.shared:
        yield "No item was ranked by two people: how far they agree is not known."
    if trusts.rewards and all(one.heldout is None for one in trusts.rewards):
        yield "The reward model was not tested on held-out prompts: rank some of them."
    if trusts.metrics is None:
        yield f"Metrics were not held against people: {trusts.why_no_metrics}."
    if effect.rows and effect.reward_length is None:
        yield "Whether the reward goes with length was not measured: no answer has a reward."
    if any(row.before is None or row.after is None for row in effect.rows):
        yield (
            "Not every side effect could be measured: dashes in the table say which. Refusals need "
            "held-out prompts tagged decline."
        )
    if not effect.criteria:
        yield "Nobody rated answers as helpful, harmless or honest."
    yield (
        "One training run, with one seed: intervals say how far figures may move with other "
        "prompts, not with another run."
    )
