"""HTML on a page: made from a template that escapes, and changed in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import param
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape
from panel.custom import AnyWidgetComponent

from rlhf_lab.widgets import sendable

STATIC = Path(__file__).parent.parent / "static"

_templates = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def html(template: str, **values: object) -> Markup:
    """Fill in a Jinja template; every value is escaped unless it is HTML from here.

    The template must be a text of ours. What a person or a model wrote goes into a value, always.
    """
    return Markup(_template(template).render(values).strip())


@cache
def _template(text: str) -> Template:
    return _templates.from_string(text)


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something that a person did in a fragment. All of it comes from the page: check it.

    Attributes:
        name: The `data-act` of the element.
        key: Its `data-key`: what the act is about.
        values: Of the fields of a form, by their names; of a select, {"value": ...}.
    """

    name: str
    key: str
    values: Mapping[str, str]

    @classmethod
    def parse(cls, data: Any) -> Act:  # noqa: ANN401 - as a page sent it
        """Read a message; whatever is no text becomes an empty one."""
        fields = data if isinstance(data, dict) else {}
        values = fields.get("values")
        return cls(
            name=_text(fields.get("act")),
            key=_text(fields.get("key")),
            values={
                _text(name): _text(value)
                for name, value in (values.items() if isinstance(values, dict) else ())
            },
        )

    def value(self, name: str = "value") -> str:
        """The text of a field, without blanks around it; empty where there is no such field."""
        return self.values.get(name, "").strip()


class Fragment(AnyWidgetComponent):
    """HTML that acts.

    A `button`, `form`, `select` or `input` with `data-act` calls `on_act` when it is clicked,
    submitted or changed. `data-confirm` asks first; `data-copy` copies the text of the element
    with that id; `time[datetime]` is shown in the reader's own time zone.

    An `AnyWidgetComponent` as our widgets are, and no other kind of Panel's components: a page that
    has two kinds renders those of the second as if they were of the first (Panel 1.9).
    """

    html = param.String(default="", doc="From Python: what is shown.")
    handled = param.Integer(default=0, doc="From Python: acts that were dealt with.")
    address = param.String(default="", doc="From Python: a page of ours to go to.")
    acted = param.Dict(default={}, doc="From the page: what a person did last.")

    _bundle: ClassVar[Path] = Path(__file__).with_suffix(".js")  # Panel serves nothing further up

    def __init__(
        self,
        markup: Markup | str = "",
        on_act: Callable[[Act], None] | None = None,
        **params: Any,  # noqa: ANN401 - Panel's own
    ) -> None:
        """Show HTML made by `html`; any other text is shown as text."""
        self._do = on_act
        super().__init__(  # type: ignore[no-untyped-call]
            **{
                "sizing_mode": "stretch_width",
                "html": _sendable(markup),
                "visible": bool(markup),
                **params,
            }
        )
        self.param.watch(lambda change: self.act(Act.parse(change.new)), "acted")

    def put(self, markup: Markup | str) -> None:
        """Show this from now on, where something else was shown."""
        shown = _sendable(markup)
        if shown != self.html:
            # Without anything to show it takes no room among its neighbours either.
            self.param.update(html=shown, visible=bool(shown))

    def on_act(self, do: Callable[[Act], None]) -> None:
        """Have this called from now on for what a person does."""
        self._do = do

    def act(self, act: Act) -> None:
        """Do as when a person did this in the page."""
        try:
            if self._do is not None:
                self._do(act)
        finally:
            self.handled += 1


def _sendable(markup: Markup | str) -> str:
    return sendable.text(str(escape(markup)))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
