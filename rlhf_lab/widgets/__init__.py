"""Widgets for Jupyter, over state machines that know no browser."""

from rlhf_lab.widgets.jupyter import RankingWidget, TableWidget
from rlhf_lab.widgets.rendering import render_markdown

__all__ = ["RankingWidget", "TableWidget", "render_markdown"]
