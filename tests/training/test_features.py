"""Features of responses, and the file they are kept in."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rlhf_lab.models import make_batch
from rlhf_lab.training.features import FeatureCache, last_token_features
from rlhf_lab.types import Message, Prompt, Response

PROMPTS = [Prompt(messages=(Message(role="user", content=t),)) for t in ("tea?", "rain, and ice?")]
BY_ID = {p.id: p for p in PROMPTS}
ANSWERS = [
    Response(id=f"{n}-{i}", prompt_id=p.id, text=text, version="import:x")
    for n, p in enumerate(PROMPTS)
    for i, text in enumerate(("Yes.", "No, and that is why.", "It is."))
]


def no_model():
    raise AssertionError("everything is there: no model is needed")


def test_features_are_the_last_hidden_state_that_the_bare_base_gives_each_response_alone(model):
    found = last_token_features(model, ANSWERS, BY_ID)
    for answer in ANSWERS:
        tokens = model.chat.encode_answer(answer.text)
        asked = model.chat.encode(BY_ID[answer.prompt_id], room=len(tokens))
        ids = torch.tensor([[*asked, *tokens]])
        with torch.no_grad(), model.peft.disable_adapter():
            expected = model.base.model.base_model(input_ids=ids).last_hidden_state[0, -1]
        np.testing.assert_allclose(found[answer.id], expected.numpy(), rtol=1e-4, atol=1e-5)


def test_the_reward_head_on_features_gives_the_score_of_a_fresh_reward_role(model):
    answer = ANSWERS[1]
    features = last_token_features(model, [answer], BY_ID)[answer.id]
    head = model.head("reward")
    tokens = model.chat.encode_answer(answer.text)
    asked = model.chat.encode(BY_ID[answer.prompt_id], room=len(tokens))
    with model.role("reward") as role:
        score = role.scores(make_batch([asked], [tokens], pad_id=0)).item()
    assert features @ head.weight.detach().numpy() + head.bias.item() == pytest.approx(
        score, rel=1e-4, abs=1e-5
    )


def test_what_is_kept_is_not_computed_again(model, tmp_path):
    first = FeatureCache(tmp_path / "kept").of(ANSWERS[:4], BY_ID, lambda: model)
    again = FeatureCache(tmp_path / "kept")
    assert [r.id for r in again.missing(ANSWERS)] == ["1-1", "1-2"]
    found = again.of(ANSWERS[:4], BY_ID, no_model)
    assert found.keys() == first.keys()
    assert all(np.array_equal(found[i], first[i]) for i in first)
    assert FeatureCache(tmp_path / "nowhere").missing(ANSWERS[:1]) == ANSWERS[:1]


def test_a_damaged_file_is_computed_again(model, tmp_path):
    first = FeatureCache(tmp_path).of(ANSWERS[:2], BY_ID, lambda: model)
    [file] = tmp_path.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-5])
    other = FeatureCache(tmp_path).of(ANSWERS[:2], BY_ID, lambda: model)
    assert all(np.array_equal(other[i], first[i]) for i in first)
