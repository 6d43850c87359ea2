"""The trace of one judgment: where it comes from, what it was about and what became of it."""

from __future__ import annotations

import panel as pn
from markupsafe import Markup

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages.reading import Answer, asked, side_by_side
from rlhf_lab.dashboard.shell import (
    Act,
    Fragment,
    acting,
    data_table,
    details,
    each,
    field,
    form,
    html,
    join,
    section,
)
from rlhf_lab.store import Trace


def trace_card(context: Context) -> Fragment:
    """Shows the judgment that the address names, `/data?judgment=ID`, or one that is asked for."""
    shown = Fragment()

    def trace(act: Act) -> None:
        context.actor.require("see_data")
        shown.put(_shown(context.lab.trace(act.value("judgment"))))

    shown.on_act(acting(context, each(trace=trace)))
    shown.put(_closed())
    if asked := asked_for("judgment"):
        shown.act(Act(name="trace", key="", values={"judgment": asked}))
    return shown


def asked_for(name: str) -> str:
    """A parameter of the page's address; empty where it is not there. It may say anything."""
    values = (pn.state.session_args or {}).get(name) or [b""]
    return str(values[0].decode("utf-8", "replace"))


def _closed() -> Markup:
    return section("", details("Trace a judgment", _ask("")))


def _shown(trace: Trace) -> Markup:
    facts = data_table(
        ["What", "Value"],
        [
            [name, html('<bdi class="lab-wrap">{{ value }}</bdi>', value=value)]
            for name, value in trace.record()
        ],
    )
    shown = trace.shown()
    answers = [Answer(name, text, f"{rank} {about}".strip()) for name, rank, about, text in shown]
    about = join(asked(trace.prompt), side_by_side(answers))
    texts = details("What it was about", about, is_open=True)
    ask = details("Trace another judgment", _ask(trace.judgment.id))
    return section("Trace of a judgment", facts, texts, ask)


def _ask(judgment: str) -> Markup:
    return form(
        "trace",
        field(
            "ID of the judgment",
            "judgment",
            judgment,
            required=True,
            maxlength=200,
            help="It stands in the last column of the judgments; opening a row shows its trace, "
            "too.",
        ),
        submit="Trace",
        tone="plain",
    )
