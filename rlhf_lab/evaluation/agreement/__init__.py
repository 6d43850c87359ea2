"""How far people agree: with one another, with the researcher, with themselves.

Loads no torch: the dashboard asks, and so may any process.
"""

from rlhf_lab.evaluation.agreement.chance import (
    Weighting,
    agreement_weights,
    fleiss_kappa,
    gwet_ac,
)
from rlhf_lab.evaluation.agreement.coefficients import cohen_kappa, krippendorff_alpha, resampled
from rlhf_lab.evaluation.agreement.measure import basis_of, measure_agreement
from rlhf_lab.evaluation.agreement.report import (
    LITERATURE,
    LITERATURE_ALPHA,
    AgreementReport,
    AnnotatorReport,
    Basis,
    DisputedItem,
    Pace,
    PairReport,
)
from rlhf_lab.evaluation.agreement.shares import Share, clustered_shares
from rlhf_lab.evaluation.agreement.tables import Rankings, Ratings, tabulate

__all__ = [
    "LITERATURE",
    "LITERATURE_ALPHA",
    "AgreementReport",
    "AnnotatorReport",
    "Basis",
    "DisputedItem",
    "Pace",
    "PairReport",
    "Rankings",
    "Ratings",
    "Share",
    "Weighting",
    "agreement_weights",
    "basis_of",
    "clustered_shares",
    "cohen_kappa",
    "fleiss_kappa",
    "gwet_ac",
    "krippendorff_alpha",
    "measure_agreement",
    "resampled",
    "tabulate",
]
