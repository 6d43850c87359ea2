"""Which judgments the reward role learns from, and in which tokens."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from transformers import AutoTokenizer

from rlhf_lab.models.chat import ChatTokens
from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.exchange import import_data
from rlhf_lab.training.reward_examples import lab_examples
from rlhf_lab.types import START, Response


@pytest.fixture
def model(tiny_folder):
    """As much of a model as encoding takes."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_folder)
    return SimpleNamespace(chat=ChatTokens(tokenizer, context=512))


@pytest.fixture
def store(tmp_path):
    with PreferenceStore(tmp_path / "lab.sqlite") as opened:
        yield opened


def pair(prompt: str, **more) -> dict:
    return {"prompt": prompt, "chosen": "good", "rejected": "bad", "split": "train", **more}


def test_an_imported_answer_is_its_text_and_the_end_of_a_turn(model, store):
    import_data(store, [pair("q")], progress=False)
    (example,) = lab_examples(model, store, set(), START).new
    end = model.chat.tokenizer.convert_tokens_to_ids("<|im_end|>")
    for tokens, text in zip(example.candidates, ("good", "bad"), strict=True):
        assert tokens[-1] == end
        assert end in model.chat.stop_ids
        assert model.chat.decode(tokens) == text


def test_a_sampled_answer_keeps_the_tokens_it_was_sampled_as(model, store):
    import_data(store, [{"prompt": "q", "split": "train"}], progress=False)
    (prompt,) = store.prompts()
    store.add_responses(
        Response(id=i, prompt_id=prompt.id, text=i, token_ids=(5, n), version=START)
        for n, i in enumerate(["a", "b"])
    )
    row = {
        "prompt": "q",
        "responses": [{"text": "a", "id": "a"}, {"text": "b", "id": "b"}],
        "ranking": [[1], [0]],
    }
    import_data(store, [row], progress=False)
    (example,) = lab_examples(model, store, set(), START).new
    assert list(example.candidates) == [(5, 1), (5, 0)]


def test_judgments_that_measure_people_train_nothing(model, store):
    occasions = ("regular", "extra", "gold", "repeat", "calibration")
    rows = [pair(o, occasion=o, judgment_id=o) for o in occasions]
    import_data(store, rows, progress=False)
    found = lab_examples(model, store, set(), START)
    assert [e.judgment_id for e in found.new] == ["regular", "extra"]
