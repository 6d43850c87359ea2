"""What an evaluation must say beside the win rate, so that nobody is misled by it.

Pure functions of what was answered, judged and scored: no model, no torch.
"""

from rlhf_lab.evaluation.honest.criteria import CriterionRating, criteria_ratings
from rlhf_lab.evaluation.honest.lengths import RewardLength, reward_length_correlation
from rlhf_lab.evaluation.honest.overoptimisation import (
    CurvePoint,
    GaoFit,
    OverOptimisation,
    curve_points,
    over_optimisation,
    stored_curve,
)
from rlhf_lab.evaluation.honest.overoptimisation_plot import curve_svg
from rlhf_lab.evaluation.honest.refusals import Refusals, declines, refusal_rates
from rlhf_lab.evaluation.honest.report import (
    Figure,
    HonestReport,
    HonestTable,
    describe_responses,
    describe_version,
    honest_table,
)
from rlhf_lab.evaluation.honest.tags import TagFigures, figures_by_tag
from rlhf_lab.evaluation.honest.texts import TextFigures, describe_texts, distinct_n, words
from rlhf_lab.evaluation.honest.win_rates import (
    LengthControlled,
    WinRateDifference,
    compare_win_rates,
    length_controlled,
    length_controlled_win_rate,
    paired_difference,
)

__all__ = [
    "CriterionRating",
    "CurvePoint",
    "Figure",
    "GaoFit",
    "HonestReport",
    "HonestTable",
    "LengthControlled",
    "OverOptimisation",
    "Refusals",
    "RewardLength",
    "TagFigures",
    "TextFigures",
    "WinRateDifference",
    "compare_win_rates",
    "criteria_ratings",
    "curve_points",
    "curve_svg",
    "declines",
    "describe_responses",
    "describe_texts",
    "describe_version",
    "distinct_n",
    "figures_by_tag",
    "honest_table",
    "length_controlled",
    "length_controlled_win_rate",
    "over_optimisation",
    "paired_difference",
    "refusal_rates",
    "reward_length_correlation",
    "stored_curve",
    "words",
]
