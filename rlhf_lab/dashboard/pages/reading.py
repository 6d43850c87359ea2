"""What models and people wrote, to be read on a page: prompts, and answers side by side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from markupsafe import Markup

from rlhf_lab.dashboard.shell import html
from rlhf_lab.store.showing import printable
from rlhf_lab.types import Prompt
from rlhf_lab.widgets.rendering import render_markdown

# Of a text; the whole of it is on Data. Ten items with all of their answers are one message.
_LONGEST = 4_000
_BEGINNING = 110


class Answer(NamedTuple):
    """A response, with what it is called on the page and what there is to say of it."""

    name: str
    text: str
    note: str = ""


def beginning(text: str, width: int = _BEGINNING) -> str:
    """How a text begins, in one line, without characters that could change what is around it."""
    return printable(" ".join(text[: 4 * width].split()), width)


def rendered(text: str, longest: int = _LONGEST) -> Markup:
    """A text of a model or a stranger, safe to show."""
    shown = Markup(render_markdown(text[:longest]))
    if len(text) <= longest:
        return shown
    return shown + html('<p class="lab-muted">Cut here; the whole text is on Data.</p>')


def asked(prompt: Prompt) -> Markup:
    """The messages, each with who says it where there are several."""
    return html(
        """<div class="lab-asked">{% for who, text in messages %}{% if messages | length > 1 %}
        <p class="lab-muted lab-small">{{ who }}</p>{% endif %}
        <div class="lab-text" dir="auto">{{ text }}</div>{% endfor %}</div>""",
        messages=[(message.role, rendered(message.content)) for message in prompt.messages],
    )


def side_by_side(answers: Iterable[Answer]) -> Markup:
    """Answers beside one another; below one another where there is no room."""
    return html(
        """
        <div class="lab-answers">{% for answer, text in answers %}
        <article aria-label="Answer {{ answer.name }}"><h3>{{ answer.name }}
        {% if answer.note %}<span class="lab-small">{{ answer.note }}</span>{% endif %}</h3>
        <div class="lab-text" dir="auto" tabindex="0">{{ text }}</div></article>{% endfor %}</div>
        """,
        answers=[(answer, rendered(answer.text)) for answer in answers],
    )
