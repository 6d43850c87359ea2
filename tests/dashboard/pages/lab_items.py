"""Something to rank in a lab, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlhf_lab.dashboard.shell import Act
from rlhf_lab.lab import Lab
from rlhf_lab.types import Message, Prompt, Response, Sampling
from rlhf_lab.widgets.ranking_state import RankingState

ANSWERS = ("Yes.", "No.")


def offer(lab: Lab, questions: Sequence[str], version: str = "policy@0") -> list[Prompt]:
    """Prompts with two answers each by a version, ready to be ranked."""
    prompts = [Prompt(messages=(Message(role="user", content=text),)) for text in questions]
    lab.store.add_prompts(prompts)
    lab.store.add_responses(
        Response(
            id=f"{version}-{prompt.id}-{number}",
            prompt_id=prompt.id,
            text=text,
            version=version,
            sampling=Sampling(),
            seed=number,
            end_reason="stop",
        )
        for prompt in prompts
        for number, text in enumerate(ANSWERS)
    )
    lab.store.assignments.offer(version)
    return prompts


def make_present(lab: Lab, version: str) -> None:
    """As a checkout or a PPO run does, for whoever reads the lab's data alone."""
    lab.store.set_setting("head.policy", version)


def answer(state: RankingState, number: int, **more: Any) -> None:
    """Rank the present item as a page does, the first candidate best."""
    event = {
        "seq": state.acked_seq + 1,
        "id": f"answer-{id(state)}-{number}",
        "type": "submit",
        "item": state.view["current"],
        "ranks": [1, 2],
        "seconds": 10.0,
        **more,
    }
    state.apply([event])


def act(name: str, key: str = "", /, **values: str) -> Act:
    """What a page sends when somebody does something in a fragment."""
    return Act.parse({"act": name, "key": key, "values": values})
