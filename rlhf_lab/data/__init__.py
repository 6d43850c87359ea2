"""The prompt sets that come with RLHF Lab, written for it."""

from __future__ import annotations

import json
from importlib import resources

from rlhf_lab.errors import ConfigError
from rlhf_lab.types import Message, Prompt

PROMPT_SETS = ("starter",)

__all__ = ["PROMPT_SETS", "load_prompts"]


def load_prompts(name: str = "starter") -> list[Prompt]:
    """Load one of the prompt sets that come with the package.

    Args:
        name: Name of the set. ``"starter"`` holds 200 training and 100 held-out prompts, each
            tagged ``question``, ``instruction``, ``summarise`` or ``decline``.

    Returns:
        The prompts in file order, training prompts first. Every tag occurs early in both
        splits, so the first few dozen prompts of a split are a fair sample of it.

    Raises:
        ConfigError: No set has this name.
    """
    if name not in PROMPT_SETS:
        known = ", ".join(repr(n) for n in PROMPT_SETS)
        raise ConfigError(f"name={name!r}: no such prompt set. Known sets: {known}.")
    text = resources.files(__name__).joinpath(f"{name}.jsonl").read_text(encoding="utf-8")
    # Split at "\n" only: str.splitlines would also cut at separators inside a JSON string.
    rows = [json.loads(line) for line in text.split("\n") if line.strip()]
    return [
        Prompt(
            messages=(Message(role="user", content=row["prompt"]),),
            split=row["split"],
            source=name,
            tags=tuple(row["tags"]),
        )
        for row in rows
    ]
