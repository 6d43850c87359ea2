"""Who ranks, and what they are shown: simulated annotators and the ranking queue."""

from rlhf_lab.annotators.calibration import CalibrationQueue
from rlhf_lab.annotators.comparison import ComparisonQueue, comparison_reports
from rlhf_lab.annotators.queue import RankingQueue, check_candidates, rank_all
from rlhf_lab.annotators.rubric import RubricAnnotator, rubric_points

__all__ = [
    "CalibrationQueue",
    "ComparisonQueue",
    "RankingQueue",
    "RubricAnnotator",
    "check_candidates",
    "comparison_reports",
    "rank_all",
    "rubric_points",
]
