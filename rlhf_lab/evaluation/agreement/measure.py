"""From a store to a report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from itertools import combinations
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from rlhf_lab.evaluation.agreement.chance import fleiss_kappa, gwet_ac
from rlhf_lab.evaluation.agreement.coefficients import (
    RESAMPLES,
    kappa_between,
    krippendorff_alpha,
)
from rlhf_lab.evaluation.agreement.items import disputed_items
from rlhf_lab.evaluation.agreement.people import (
    agreement_between,
    annotator_reports,
    left_rate,
    self_consistency,
)
from rlhf_lab.evaluation.agreement.report import AgreementReport, Basis, PairReport
from rlhf_lab.evaluation.agreement.tables import WORK, Rankings, Ratings, tabulate
from rlhf_lab.store import PreferenceStore, chain
from rlhf_lab.store.opinions import Tiers, known_answers, opinions, researchers

# A matrix of more people nobody reads.
_MATRIX: Final = 24


def measure_agreement(
    store: PreferenceStore,
    *,
    annotators: Collection[str] | None = None,
    researchers: Collection[str] | None = None,
    disputed: int = 20,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> AgreementReport:
    """How far people agree, from the rankings that count, on one state of the store.

    Args:
        store: Of a lab.
        annotators: Only these; default: everybody who ranked, simulated annotators included.
        researchers: Whom the others are compared with; default: accounts of researchers and
            admins, and "me", as `lab.rank()` calls whoever is at the notebook.
        disputed: How many of the most disputed items to report.
        resamples: Draws of prompts for the intervals of alpha, kappa and AC.
        seed: Of the draws.
    """
    with store.database.read() as session:
        answers = known_answers(session)
        basis = _basis(session, answers, researchers)
        said = (
            one for one in opinions(session) if annotators is None or one.annotator in annotators
        )
        table = tabulate(said, answers)
        found = disputed_items(session, table, disputed, answers)
    work = table.rows(WORK)
    pairs, places = table.pairs(work), table.places(work)
    ranked = np.bincount(table.item[work], minlength=len(table.items))
    return AgreementReport(
        basis=basis,
        judgments=int((table.who >= 0).sum()),
        items=len(table.items),
        shared=int((ranked > 1).sum()),
        nominal=krippendorff_alpha(pairs, "nominal", resamples=resamples, seed=seed),
        ordinal=krippendorff_alpha(places, "ordinal", resamples=resamples, seed=seed),
        fleiss=fleiss_kappa(pairs, resamples=resamples, seed=seed),
        ac1=gwet_ac(pairs, resamples=resamples, seed=seed),
        ac2=gwet_ac(places, "ordinal", resamples=resamples, seed=seed),
        pairwise=agreement_between(pairs),
        consistent=self_consistency(table),
        left=left_rate(table),
        annotators=annotator_reports(table, basis.researchers),
        pairs=tuple(_pairs(table, pairs, resamples, seed)),
        disputed=found,
    )


def basis_of(store: PreferenceStore, researchers: Collection[str] | None = None) -> Basis:
    """What a report would rest on now; as long as it is the same, so is the report."""
    with store.database.read() as session:
        return _basis(session, known_answers(session), researchers)


def _basis(session: Session, answers: dict[str, Tiers], chosen: Collection[str] | None) -> Basis:
    known = hashlib.sha256(json.dumps(sorted(answers.items())).encode()).hexdigest()
    who = researchers(session) if chosen is None else frozenset(chosen)
    return Basis(head=str(chain.read_head(session)), known=known, researchers=who)


def _pairs(table: Rankings, pairs: Ratings, resamples: int, seed: int) -> Iterator[PairReport]:
    """Of the annotators who judged most, in the order of names."""
    judged = np.bincount(pairs.rater, minlength=len(table.names))
    most = np.argsort(-judged, kind="stable")[:_MATRIX].tolist()
    pairs = pairs.where(np.isin(pairs.rater, most))
    for first, second in combinations(sorted(most, key=table.names.__getitem__), 2):
        kappa, shared = kappa_between(pairs, first, second, resamples=resamples, seed=seed)
        if shared:
            yield PairReport(
                first=table.names[first], second=table.names[second], kappa=kappa, pairs=shared
            )
