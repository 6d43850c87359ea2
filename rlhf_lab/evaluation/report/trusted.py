"""How far can the judges be trusted: people among themselves, the reward model, the metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.evaluation.report.checkpoints import calibration_in, reports_of
from rlhf_lab.evaluation.report.contents import RewardAccuracy, Trusted
from rlhf_lab.evaluation.report.pictures import Chart, calibration_chart
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Interval, Version

if TYPE_CHECKING:
    from rlhf_lab.evaluation.agreement import AgreementReport
    from rlhf_lab.evaluation.trust import BatchPicker, Picker, TrustReport

# Without a model; the others are measured where somebody asks for them, with `lab.trust()`.
_CHEAP = ("rouge1", "rouge2", "rougeL", "bleu")


def trusted(
    store: PreferenceStore,
    folder: Path | None,
    names: Mapping[str, str],
    *,
    trust: TrustReport | None,
    seed: int,
) -> Trusted:
    """Everything that says how far to believe the rest of the page.

    Args:
        store: The lab's.
        folder: The lab's, for what checkpoints say.
        names: How annotators are called.
        trust: Metrics against people, if somebody measured it; else the cheap ones are.
        seed: Of the intervals.
    """
    agreement = _agreement(store, seed)
    metrics, why = (trust, "") if trust is not None else _metrics(store, seed)
    return Trusted(
        agreement=agreement,
        names=names,
        annotators=tuple(
            sorted(agreement.annotators if agreement else (), key=lambda one: _key(names[one.name]))
        ),
        coefficients=tuple(_coefficients(agreement)),
        rewards=tuple(_rewards(store)),
        calibration=_calibration(store, folder),
        metrics=metrics,
        meaning=tuple(_meaning(metrics)),
        why_no_metrics=why,
    )


def _key(name: str) -> tuple[int, str]:
    """Numbered ones by number."""
    return len(name), name


def _agreement(store: PreferenceStore, seed: int) -> AgreementReport | None:
    from rlhf_lab.evaluation.agreement import measure_agreement

    if not store.counts().rankings:
        return None
    return measure_agreement(store, disputed=0, seed=seed)


def _coefficients(found: AgreementReport | None) -> Iterator[tuple[str, str, Interval | None]]:
    if found is None:
        return
    yield (
        "Krippendorff's alpha, pairs",
        "left, right or tied; 0 is chance, 1 full agreement",
        found.nominal,
    )
    yield (
        "Krippendorff's alpha, places",
        "an order turned round weighs more than two neighbours swapped",
        found.ordinal,
    )
    yield "Fleiss' kappa", "of pairs; low where nearly all pairs are tied", found.fleiss
    yield "Gwet's AC2", "of places; steady where nearly all get the same", found.ac2


def _rewards(store: PreferenceStore) -> Iterator[RewardAccuracy]:
    kept = {row.version: row.values for row in store.metrics("reward")}
    for version in store.versions():
        if version.role == "reward":
            figures = kept.get(version.name, {})
            yield RewardAccuracy(
                version=version.name,
                heldout=Interval.from_figures("heldout_accuracy", figures),
                prequential=Interval.from_figures("prequential_accuracy", figures),
            )


def _calibration(store: PreferenceStore, folder: Path | None) -> Chart | None:
    """Of the newest reward version that has one."""
    rewards = [v for v in store.versions() if v.role == "reward"]
    found = (_chart(folder, version) for version in reversed(rewards))
    return next((chart for chart in found if chart is not None), None)


def _chart(folder: Path | None, version: Version) -> Chart | None:
    kept = calibration_in(reports_of(folder, version))
    return None if kept is None else calibration_chart(*kept, version.name)


def _metrics(store: PreferenceStore, seed: int) -> tuple[TrustReport | None, str]:
    from rlhf_lab.evaluation.trust import (
        CoinPicker,
        LengthPicker,
        measure_trust,
        metric_pickers,
        stored_items,
    )

    try:
        found = stored_items(store)
    except NotEnoughData:
        return None, "nobody put one answer above another yet"
    plain: list[Picker | BatchPicker] = [LengthPicker(), CoinPicker(seed)]
    try:
        report = measure_trust(
            found.items,
            [*metric_pickers(_CHEAP), *plain],
            notes=found.notes,
            seed=seed,
            progress=False,
        )
    except ConfigError as error:  # a package that is not installed is said, not hidden
        notes = [*found.notes, str(error)]
        report = measure_trust(found.items, plain, notes=notes, seed=seed, progress=False)
    return report, ""


def _meaning(metrics: TrustReport | None) -> Iterator[str]:
    """Without advice to whoever has the report at hand: a page's reader has the page alone."""
    for line in metrics.meaning.split("\n") if metrics else ():
        if line and "report.difference" not in line:
            yield line
