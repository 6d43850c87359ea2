"""Widgets for Jupyter, over state machines that know no browser."""

from rlhf_lab.widgets.jupyter import (
    ComparisonWidget,
    MonitorWidget,
    RankingWidget,
    TableWidget,
    TokenWidget,
    VersionTreeWidget,
)
from rlhf_lab.widgets.monitor_state import Chart, Curve, MonitorState
from rlhf_lab.widgets.rendering import render_markdown

__all__ = [
    "Chart",
    "ComparisonWidget",
    "Curve",
    "MonitorState",
    "MonitorWidget",
    "RankingWidget",
    "TableWidget",
    "TokenWidget",
    "VersionTreeWidget",
    "render_markdown",
]
