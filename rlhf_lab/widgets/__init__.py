"""Widgets for Jupyter, over state machines that know no browser."""

from rlhf_lab.widgets.jupyter import ComparisonWidget, RankingWidget, TokenWidget
from rlhf_lab.widgets.rendering import render_markdown

__all__ = ["ComparisonWidget", "RankingWidget", "TokenWidget", "render_markdown"]
