"""Widgets for Jupyter, over state machines that know no browser."""

from rlhf_lab.widgets.jupyter import MonitorWidget, RankingWidget
from rlhf_lab.widgets.monitor_state import Chart, Curve, MonitorState
from rlhf_lab.widgets.rendering import render_markdown

__all__ = [
    "Chart",
    "Curve",
    "MonitorState",
    "MonitorWidget",
    "RankingWidget",
    "render_markdown",
]
