"""Widgets for Jupyter, over state machines that know no browser."""

from rlhf_lab.widgets.jupyter import ComparisonWidget, RankingWidget
from rlhf_lab.widgets.rendering import render_markdown

__all__ = ["ComparisonWidget", "RankingWidget", "render_markdown"]
