"""Did it get better? Win rates with intervals, and what changed beside them."""

from rlhf_lab.evaluation.evaluate import evaluate_policy
from rlhf_lab.evaluation.reward_gain import stored_alarm
from rlhf_lab.evaluation.win_rate import EvalReport, Sample, compare_versions

__all__ = ["EvalReport", "Sample", "compare_versions", "evaluate_policy", "stored_alarm"]
