"""A prompt as pages show it."""

from __future__ import annotations

from typing import TypedDict

from rlhf_lab.types import Prompt
from rlhf_lab.widgets.rendering import render_markdown


class Turn(TypedDict):
    """One message of a prompt, as HTML that is safe to show."""

    role: str
    html: str


def turns(prompt: Prompt) -> list[Turn]:
    """The messages of a prompt."""
    return [Turn(role=m.role, html=render_markdown(m.content)) for m in prompt.messages]
