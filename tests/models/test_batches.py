from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rlhf_lab.models import RoleModel, Row, TokenBatch, batch_of_rows, make_batch
from rlhf_lab.models.certificates import can_share_prompts
from tests.tiny import load_tiny, rows, stir

# Row 0: prompt 1 2, responses 3 4 5 and 6. Row 1: prompt 7 8 9, response 10.
ROWS = [Row([1, 2], [[3, 4, 5], [6]]), Row([7, 8, 9], [[10]])]


def test_masks_come_from_lengths_though_padding_and_end_token_are_one(model: RoleModel):
    end = model.base.tokenizer.eos_token_id
    assert model.base.tokenizer.pad_token_id == end
    tokens = make_batch([[1, 2, 3], [4]], [[5, end], [6, 7, 8, end]], pad_id=end)
    # The width is rounded up to 16: what stands there is padding, which is the end token here.
    rest = [end] * 11
    assert tokens.input_ids.tolist() == [[1, 2, 3, 5, end, *rest], [4, 6, 7, 8, end, *rest]]
    assert tokens.is_token.tolist() == [[True] * 5 + [False] * 11] * 2
    assert tokens.is_response_token.tolist() == [[True, True, False, False], [True] * 4]
    assert tokens.response_ids[0, :2].tolist() == [5, end]
    assert tokens.response_ids[1].tolist() == [6, 7, 8, end]


def test_places_and_positions_of_a_padded_batch():
    tokens = make_batch([[1, 2], [3]], [[4, 5, 6], [7]], pad_id=0)
    assert tokens.input_ids.tolist() == [[1, 2, 4, 5, 6, *[0] * 11], [3, 7, *[0] * 14]]
    assert tokens.position_ids[0, :5].tolist() == [0, 1, 2, 3, 4]
    assert tokens.position_ids[1, :2].tolist() == [0, 1]
    assert tokens.is_token.tolist() == [[True] * 5 + [False] * 11, [True] * 2 + [False] * 14]
    assert tokens.predicting_places.tolist() == [[1, 2, 3], [0, 1, 2]]
    assert tokens.last_places.tolist() == [4, 1]
    assert tokens.input_ids.dtype == torch.int64


def test_places_in_shared_rows_are_those_worked_by_hand():
    tokens = batch_of_rows(ROWS, pad_id=0)
    assert tokens.is_shared
    assert tokens.input_ids.tolist() == [[1, 2, 3, 4, 5, 6, *[0] * 10], [7, 8, 9, 10, *[0] * 12]]
    assert tokens.segment_ids.tolist() == [[0, 0, 1, 1, 1, 2, *[-1] * 10], [0, 0, 0, 1, *[-1] * 12]]
    # Both responses of row 0 go on from position 1, the end of their prompt.
    assert tokens.position_ids[0, :6].tolist() == [0, 1, 2, 3, 4, 2]
    assert tokens.rows.tolist() == [0, 0, 1]
    assert tokens.response_lengths.tolist() == [3, 1, 1]
    one, three = [True, False, False], [True, True, True]
    assert tokens.is_response_token.tolist() == [three, one, one]
    valid = tokens.is_response_token
    assert tokens.response_ids[valid].tolist() == [3, 4, 5, 6, 10]
    # The 6 follows the prompt's last token at place 1, not the 5 before it.
    assert tokens.predicting_places[valid].tolist() == [1, 2, 3, 1, 2]
    assert tokens.last_places.tolist() == [4, 5, 3]


def test_a_response_sees_its_prompt_and_itself_and_nothing_else():
    seen = batch_of_rows(ROWS[:1], pad_id=0).attention_mask[0, 0]
    places = [[int(k) for k in row.nonzero().flatten()] for row in seen]
    assert places[:6] == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4], [0, 1, 5]]
    # No token looks at padding but padding itself, which must look at something.
    assert not seen[:6, 6:].any()
    assert seen[6:].any(dim=1).all()


def test_rows_of_one_response_keep_the_plain_mask():
    tokens = batch_of_rows([ROWS[1]], pad_id=0)
    assert not tokens.is_shared
    assert tokens.attention_mask.tolist() == [[1] * 4 + [0] * 12]


def _shared_and_separate(model: RoleModel) -> tuple[TokenBatch, TokenBatch]:
    pad = model.base.tokenizer.pad_token_id
    (prompt, _), *_ = rows(model)
    responses = [response for _, response in rows(model)]
    shared = batch_of_rows([Row(prompt, responses)], pad_id=pad)
    return shared, make_batch([prompt] * 3, responses, pad_id=pad)


@pytest.mark.parametrize("role", ["policy", "reward", "value"])
def test_outputs_and_gradients_are_those_of_separate_rows(tiny_folder: Path, role):
    # Weights in fp64: in fp32 the order of sums alone, which depends on the processor, moves a
    # gradient of the size of 10 by 1e-5. What the heads give stays fp32.
    model = load_tiny(tiny_folder, dtype=torch.float64)
    stir(model, role)
    found = []
    for tokens in _shared_and_separate(model):
        with model.role(role, train=True) as held:
            if role == "policy":
                outputs = [held.logprobs(tokens).logp]
            else:
                valid = tokens.is_response_token
                outputs = [held.values(tokens)[valid], held.scores(tokens)]
            sum((out**2).sum() for out in outputs).backward()
        gradients = [p.grad.clone() for p in model.parameters(role).values() if p.grad is not None]
        for parameter in model.parameters(role).values():
            parameter.grad = None
        found.append([*(out.detach() for out in outputs), *gradients])
    assert len(found[0]) > 20
    for shared, separate in zip(*found, strict=True):
        torch.testing.assert_close(shared, separate, rtol=1e-5, atol=5e-6)


def test_a_neighbour_does_not_move_a_response_by_one_bit(model: RoleModel):
    pad = model.base.tokenizer.pad_token_id
    logps = []
    for neighbour in ([5, 6, 7], [8, 9, 10]):
        tokens = batch_of_rows([Row([1, 2, 3], [neighbour, [4, 5]])], pad_id=pad)
        with model.role("policy") as policy, torch.no_grad():
            logps.append(policy.logprobs(tokens).logp[1])
    assert torch.equal(*logps)


@pytest.mark.parametrize(
    "rule", [{"sliding_window": 4}, {"layer_types": ["sliding_attention", "full_attention"]}]
)
def test_layers_with_rules_of_their_own_keep_rows_apart(model: RoleModel, monkeypatch, rule):
    assert model.shares_prompts
    for name, value in rule.items():
        monkeypatch.setattr(model.base.model.config, name, value, raising=False)
    assert not can_share_prompts(model)


def test_a_model_that_ignores_the_mask_is_found_out(model: RoleModel, monkeypatch):
    plain = TokenBatch.is_token.fget
    monkeypatch.setattr(TokenBatch, "attention_mask", property(lambda self: plain(self).long()))
    assert not can_share_prompts(model)
