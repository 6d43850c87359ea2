"""Looking at answers token by token: which are meant, and what the present roles make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rlhf_lab.errors import ConfigError, NotEnoughData, StoreError
from rlhf_lab.store import PreferenceStore
from rlhf_lab.training import PPOConfig
from rlhf_lab.training.credit import ReadText, present_readers, token_reports
from rlhf_lab.training.workbench import Workbench
from rlhf_lab.types import Message, Prompt, Response, TokenReport

if TYPE_CHECKING:
    from rlhf_lab.lab.holding import LabModel


def read_tokens(
    bench: Workbench,
    lab: LabModel,
    answers: Sequence[str | Response],
    prompt: str | Prompt | None,
    config: PPOConfig | None,
) -> list[TokenReport]:
    """Reports by the lab's present versions; nothing is learned or stored.

    What has no role yet is left out. Arguments and errors are those of `Lab.tokens`.
    """
    texts = as_texts(lab.store, answers, prompt)
    # Filters of the lab's sampling change no figure here, and a step would refuse them.
    plain = replace(lab.sampling, top_k=0, top_p=1.0)
    resolved = (config or PPOConfig()).resolved(plain, lab.seed)
    model = bench.ready_model()
    readers = present_readers(model, bench.tree, resolved)
    return token_reports(model, texts, readers, resolved)


def as_texts(
    store: PreferenceStore, answers: Sequence[str | Response], prompt: str | Prompt | None
) -> list[ReadText]:
    """Answers beside their prompts.

    Args:
        store: Where they are.
        answers: Ids of responses, or responses; with `prompt`, texts.
        prompt: A prompt, its id, or the text of one.

    Raises:
        NotEnoughData: there are none.
        ConfigError: an answer is neither a text nor a response.
        StoreError: there is no response or prompt of an id.
    """
    for answer in answers:
        if not isinstance(answer, str | Response):
            raise ConfigError(
                f"{answer!r:.60} is no response: pass ids, responses, or texts with prompt=..."
            )
    if prompt is None:
        found = [a if isinstance(a, Response) else store.response(a) for a in answers]
        if not found:
            raise NotEnoughData(
                "no responses to look at: pass ids, as in lab.responses.newest(3), or prompt=..."
            )
        return [ReadText(store.prompt(response.prompt_id), response) for response in found]
    asked = prompt if isinstance(prompt, Prompt) else _prompt_of(store, prompt)
    return [ReadText(asked, answer) for answer in answers or _candidates(store, asked)]


def _prompt_of(store: PreferenceStore, name: str) -> Prompt:
    """The prompt of this id, or else a new one with this text."""
    try:
        return store.prompt(name)
    except StoreError:
        return Prompt(messages=(Message(role="user", content=name),))


def _candidates(store: PreferenceStore, prompt: Prompt) -> list[Response]:
    found = [r for r in store.responses(prompt_id=prompt.id) if r.purpose == "candidate"]
    if not found:
        raise NotEnoughData(
            f"no responses to {prompt.text[:60]!r} yet: generate some with lab.generate(), or pass "
            "a text to look at."
        )
    return found
