"""A lab with some hundred responses to look through, for browser tests and pictures."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import rlhf_lab as rl
from rlhf_lab.store import TableBrowser
from rlhf_lab.types import Judgment, Message, Prompt, Ranking, Response
from tests.browser.lab_source import hostile_texts
from tests.browser.sample_items import MERGE_ANSWERS, MERGE_PROMPT

PROMPTS, PER_PROMPT, VERSIONS = 60, 5, 4
RESPONSES = PROMPTS * PER_PROMPT
HOSTILE_VERSION = "<img src=/xss-probe/version onerror=HIT()>"
RARE = "chrysanthemum"
"""A word in one response alone."""

EVIL = (
    "<img src=x onerror=\"document.title='owned'\"> $\\text{<script>document.title='owned'"
    "</script>}$ \u202e [link](javascript:document.title='owned') " + "w" * 5000
)

_START = datetime(2026, 3, 2, 9, tzinfo=UTC)
_QUESTIONS = (
    "Why does bread rise, and what can go wrong?",
    "Write a short note that thanks a neighbour for watering the plants.",
    "What is the difference between a list and a tuple in Python?",
    "How do bees find their way home?",
    "Explain inflation to somebody who is ten years old.",
    "Suggest three names for a small bakery by the sea.",
)
_SENTENCES = (
    "Yeast eats the sugar in the dough and gives off a gas that is caught in the gluten.",
    "It depends on the temperature: too cold and nothing happens, too hot and the yeast dies.",
    "A tuple cannot be changed once it is made, which also makes it usable as a key.",
    "Thank you so much for looking after everything while we were away!",
    "They remember landmarks and the position of the sun, and they count the turns.",
    "Prices go up when there is more money than things to buy with it.",
    "In short, start with the simplest thing that works and change one thing at a time.",
)


def open_lab(folder: str, *, hostile: bool = True) -> rl.Lab:
    """The lab, made if it is not there; with `hostile`, so is the last prompt and response."""
    lab = rl.Lab(folder, progress=False)
    if lab.prompts:
        return lab
    draw = random.Random(7)
    for number in range(PROMPTS):
        _add(lab, number, draw, EVIL if hostile and number == PROMPTS - 1 else "")
    return lab


def _add(lab: rl.Lab, number: int, draw: random.Random, evil: str) -> None:
    text = MERGE_PROMPT if number == PROMPTS - 2 else draw.choice(_QUESTIONS)
    prompt = Prompt(
        messages=(
            Message(role="system", content=f"You are assistant {number}."),
            Message(role="user", content=evil or text),
        ),
        split="heldout" if number % 5 == 0 else "train",
        source=draw.choice(("starter", "mail.jsonl")),
        tags=("question", "short")[: draw.randint(0, 2)],
    )
    answers = [_response(prompt, number * PER_PROMPT + n, draw) for n in range(PER_PROMPT)]
    if evil:
        answers[-1] = replace(answers[-1], text=evil)
    if number == PROMPTS - 2:
        answers = [replace(a, text=t) for a, t in zip(answers, (*MERGE_ANSWERS, ""), strict=False)]
    lab.store.add_prompts([prompt])
    lab.store.add_responses(answers)
    shown = tuple(answer.id for answer in draw.sample(answers, 4))
    lab.store.submit(
        Judgment(
            id=f"{draw.getrandbits(128):032x}",
            prompt_id=prompt.id,
            annotator=draw.choice(("ann", "bob")),
            shown_order=shown,
            ranking=Ranking.from_scores({i: draw.randrange(3) for i in shown}),
            comment=draw.choice(("", "", "Hard to say.", "The first one is wrong.")),
            seconds=float(draw.randrange(8, 70)),
            created_at=_START + timedelta(days=1, minutes=number),
        )
    )


def _response(prompt: Prompt, number: int, draw: random.Random) -> Response:
    text = " ".join(draw.choices(_SENTENCES, k=draw.randint(1, 6)))
    if number == 123:
        text += f" Then plant a {RARE}."
    return Response(
        id=f"{draw.getrandbits(128):032x}",
        prompt_id=prompt.id,
        text=text,
        token_ids=tuple(range(len(text) // 4)),
        version=f"policy@{number * VERSIONS // RESPONSES}",
        seed=number,
        end_reason=draw.choice(("stop", "stop", "length")),
        created_at=_START + timedelta(seconds=37 * number),
    )


def shown(folder: str, *, hostile: bool = False) -> TableBrowser:
    """The responses of a lab in a folder; hostile, with all payloads among them."""
    lab = open_lab(f"{folder}/browsed")
    if hostile and not lab.responses.where(version=HOSTILE_VERSION):
        texts = hostile_texts(40)
        prompt = Prompt(messages=(Message(role="user", content=texts[0]),), source=texts[1])
        lab.store.add_prompts([prompt])
        lab.store.add_responses(
            Response(id=f"evil-{n} {text}", prompt_id=prompt.id, text=text, version=HOSTILE_VERSION)
            for n, text in enumerate(texts)
        )
    return TableBrowser(lab.responses)


def picture() -> TableBrowser:
    """What the pictures show."""
    return TableBrowser(open_lab(tempfile.mkdtemp(), hostile=False).responses)
