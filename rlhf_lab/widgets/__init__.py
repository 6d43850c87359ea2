"""Widgets for Jupyter, over state machines that know no browser."""

from rlhf_lab.widgets.jupyter import (
    ComparisonWidget,
    RankingWidget,
    TableWidget,
    TokenWidget,
    VersionTreeWidget,
)
from rlhf_lab.widgets.rendering import render_markdown

__all__ = [
    "ComparisonWidget",
    "RankingWidget",
    "TableWidget",
    "TokenWidget",
    "VersionTreeWidget",
    "render_markdown",
]
