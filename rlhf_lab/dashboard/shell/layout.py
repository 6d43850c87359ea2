"""Cards and columns around components of Panel."""

from __future__ import annotations

from collections.abc import Sequence

import panel as pn
from markupsafe import Markup
from panel.viewable import Viewable

from rlhf_lab.dashboard.shell.fragment import Fragment, html

Child = Viewable | Markup


def page_of(*children: Child) -> pn.Column:
    """A page: its parts one below the other, with the same room between them."""
    return _column("lab-page", children)


def tool(pane: Viewable) -> pn.Column:
    """A card around a widget that has a heading of its own; on a phone as wide as the page."""
    return pn.Column(pane, css_classes=["lab-card", "lab-tool"], sizing_mode="stretch_width")


def card(title: str, *children: Child, note: str = "") -> pn.Column:
    """A card around components; `section` is the same for HTML alone."""
    top = html(
        """
        <div class="lab-heading"><h2>{{ title }}</h2>
        {% if note %}<span class="lab-muted">{{ note }}</span>{% endif %}</div>
        """,
        title=title,
        note=note,
    )
    return _column("lab-card", [top, *children])


def _column(css_class: str, children: Sequence[Child]) -> pn.Column:
    inside = [Fragment(child) if isinstance(child, Markup) else child for child in children]
    return pn.Column(*inside, css_classes=[css_class], sizing_mode="stretch_width")
