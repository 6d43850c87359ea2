"""Demonstrations of a simulated annotator, who edits what the policy wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlhf_lab import Lab, RubricAnnotator
from rlhf_lab.errors import JudgmentError, NotEnoughData
from rlhf_lab.types import Message, Prompt, Response
from tests.lab.labs import open_lab

PROMPT = Prompt(messages=(Message(role="user", content="Why do cats purr?"),))


def answers(*texts: str) -> list[Response]:
    return [
        Response(id=f"r{n}", prompt_id=PROMPT.id, text=text, version="policy@0")
        for n, text in enumerate(texts)
    ]


def test_the_best_answer_is_taken_and_cut_after_its_first_sentence():
    found = RubricAnnotator().demonstrate(
        PROMPT, answers("No idea", "Cats purr when they are content. They also purr when they")
    )
    assert found == ("r1", "Cats purr when they are content.")


def test_an_answer_that_is_good_as_it_is_stays_whole():
    text = "Do cats purr? Cats purr for joy."  # of three words alone it would be too short
    assert RubricAnnotator().demonstrate(PROMPT, answers(text)).text == text
    whole = "Cats purr for joy, and purring calms cats."
    assert RubricAnnotator().demonstrate(PROMPT, answers(f"  {whole}\n")) == ("r0", whole)


def test_an_abbreviated_number_ends_no_sentence():
    text = "Cats purr at 25.5 hertz or so when they feel at ease."
    assert RubricAnnotator().demonstrate(PROMPT, answers(text)).text == text


def test_nothing_can_be_made_of_empty_answers():
    with pytest.raises(
        JudgmentError, match=r"the 2 responses to 'Why do cats purr\?' are all empty"
    ):
        RubricAnnotator().demonstrate(PROMPT, answers("", "  "))


def test_each_answered_prompt_gets_one_demonstration_and_no_second(taught: Lab):
    made = taught.annotate_demonstrations()
    found = taught.store.demonstrations()
    assert made == len(found) == 6
    assert len({d.prompt_id for d in found}) == 6
    by_id = {r.id: r for r in taught.store.responses()}
    assert all(d.edited_from is not None for d in found)
    assert all(d.text in by_id[d.edited_from].text for d in found)
    assert taught.annotate_demonstrations() == 0


def test_what_a_person_wrote_stays_alone(taught: Lab):
    answered = taught.store.prompt(taught.store.responses()[0].prompt_id)
    taught.demonstrate(answered, "As I would say it.")
    assert taught.annotate_demonstrations() == 5
    assert [d.text for d in taught.store.demonstrations(answered.id)] == ["As I would say it."]


def test_without_answers_it_says_what_to_do(path: Path, tiny_folder: Path):
    with open_lab(path, tiny_folder) as lab:
        lab.add_prompts(["Tea?"])
        with pytest.raises(NotEnoughData, match="policy@0 has answered no prompt"):
            lab.annotate_demonstrations()
