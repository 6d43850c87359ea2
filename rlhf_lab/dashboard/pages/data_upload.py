"""A form that sends a file to `/upload` and shows how far it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import param
from markupsafe import Markup
from panel.custom import AnyWidgetComponent

Done = Callable[[int, Mapping[str, Any]], None]


class Upload(AnyWidgetComponent):
    """Sends the file of its form over HTTP: a websocket would have to carry it as one message.

    The server decides by itself what may be imported; this only shows what it said.
    """

    html = param.String(default="", doc="From Python: the form.")
    answer = param.Dict(default={}, doc="From the page: what the server said last.")

    _bundle: ClassVar[Path] = Path(__file__).with_suffix(".js")

    def __init__(
        self,
        markup: Markup,
        on_done: Done,
        **params: Any,  # noqa: ANN401 - Panel's own
    ) -> None:
        """Show a form.

        Args:
            markup: With a file input named "file", and a progress element.
            on_done: Called with the status of the answer, 0 for none, and with what was in it.
            params: Panel's own.
        """
        super().__init__(  # type: ignore[no-untyped-call]
            **{"sizing_mode": "stretch_width", "html": str(markup), **params}
        )
        self._done = on_done
        self.param.watch(self._on_answer, "answer")

    def _on_answer(self, change: param.parameterized.Event) -> None:
        status, reply = change.new.get("status"), change.new.get("reply")
        self._done(
            status if type(status) is int else 0, reply if isinstance(reply, Mapping) else {}
        )
