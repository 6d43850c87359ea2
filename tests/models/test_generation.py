from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from scipy.stats import chisquare

from rlhf_lab.errors import RoleError
from rlhf_lab.models import Generated, RoleModel, generate
from rlhf_lab.models.generation import generate_in_parts, sampling_parts
from rlhf_lab.types import Sampling
from tests.shortage import room_for
from tests.tiny import TEXTS, load_tiny, prompt, stir

SAMPLING = Sampling(max_new_tokens=20, temperature=0.9)
SEEDS = [11, 12, 13]


def prompt_ids(model: RoleModel) -> list[list[int]]:
    return [model.chat.encode(prompt(text)) for text in TEXTS]


def sample(
    model: RoleModel, ids: list[list[int]], seeds: list[int], sampling: Sampling = SAMPLING
) -> list[Generated]:
    with model.role("policy") as policy:
        return generate(policy, ids, seeds, sampling)


def test_left_padding_does_not_change_what_is_written(model: RoleModel):
    ids = prompt_ids(model)
    assert len({len(i) for i in ids}) == 3
    alone = [sample(model, [i], [s])[0] for i, s in zip(ids, SEEDS, strict=True)]
    assert sample(model, ids, SEEDS) == alone


def test_a_seed_gives_its_response_whatever_else_is_in_the_batch(model: RoleModel):
    ids = prompt_ids(model)
    together = sample(model, ids, SEEDS)
    assert sample(model, ids[::-1], SEEDS[::-1]) == together[::-1]
    other = sample(model, ids, [11, 99, 13])
    assert (other[0], other[2]) == (together[0], together[2])
    assert other[1] != together[1]


def test_smaller_batches_write_the_same_when_memory_runs_out(model: RoleModel):
    ids, seeds = prompt_ids(model) * 3, list(range(9))
    expected, parts = sample(model, ids, seeds), sampling_parts(SAMPLING)
    # 9 prompts of up to 64 tokens: three at a time fit.
    with room_for(192, model) as refused, model.role("policy") as policy:
        with pytest.warns(UserWarning, match="sampling batches are divided"):
            assert generate_in_parts(policy, ids, seeds, SAMPLING, parts) == expected
        assert len(refused) == 2
        assert generate_in_parts(policy, ids, seeds, SAMPLING, parts) == expected
    assert (parts.count, len(refused)) == (4, 2)


def test_rows_with_the_same_prompt_are_drawn_independently(model: RoleModel):
    found = sample(model, [prompt_ids(model)[0]] * 8, list(range(8)))
    assert len({tuple(g.token_ids) for g in found}) == 8
    first = {g.token_ids[0] for g in found}
    assert len(first) > 1


def test_responses_end_with_their_first_end_token(model: RoleModel):
    found = sample(model, [prompt_ids(model)[0]] * 48, list(range(48)))
    stop = model.chat.stop_ids
    ended = [g for g in found if g.end_reason == "stop"]
    assert 0 < len(ended) < len(found)
    assert all(g.token_ids[-1] in stop and not stop & set(g.token_ids[:-1]) for g in ended)
    others = [g for g in found if g.end_reason == "length"]
    assert all(len(g.token_ids) == 20 and not stop & set(g.token_ids) for g in others)
    assert len({len(g.token_ids) for g in ended}) > 3


def test_sampled_tokens_follow_the_softmax_at_the_temperature(model: RoleModel):
    ids = prompt_ids(model)[1]
    count, temperature = 3000, 0.6
    with torch.no_grad():
        logits = model.base.model(torch.tensor([ids])).logits[0, -1].double()
    expected = (logits / temperature).softmax(dim=0)
    one = Sampling(max_new_tokens=1, temperature=temperature)
    drawn = [g.token_ids[0] for g in sample(model, [ids] * count, list(range(count)), one)]
    top = expected.topk(12).indices.tolist()
    observed = [drawn.count(t) for t in top]
    share = expected[top].tolist()
    rest = chisquare(
        [*observed, count - sum(observed)], [count * s for s in (*share, 1 - sum(share))]
    )
    assert rest.pvalue > 0.01


@pytest.mark.parametrize("filters", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-3}])
def test_filters_and_low_temperature_leave_the_likeliest_token(model: RoleModel, filters: dict):
    ids = prompt_ids(model)[0]
    with torch.no_grad():
        best = int(model.base.model(torch.tensor([ids])).logits[0, -1].argmax())
    found = sample(model, [ids] * 4, [1, 2, 3, 4], Sampling(max_new_tokens=1, **filters))
    assert [g.token_ids for g in found] == [[best]] * 4


def test_a_models_own_generation_settings_do_not_bend_the_samples(
    tiny_folder: Path, model: RoleModel, tmp_path: Path
):
    folder = shutil.copytree(tiny_folder, tmp_path / "bent")
    path = folder / "generation_config.json"
    bent = {"repetition_penalty": 5.0, "no_repeat_ngram_size": 1, "min_new_tokens": 20}
    path.write_text(json.dumps(json.loads(path.read_text()) | bent))
    ids = [prompt_ids(model)[0]] * 16
    seeds = list(range(16))
    assert sample(load_tiny(folder), ids, seeds) == sample(model, ids, seeds)


def test_generation_uses_the_held_adapter(model: RoleModel):
    ids = prompt_ids(model)
    before = sample(model, ids, SEEDS)
    stir(model, "policy", scale=0.2)
    assert sample(model, ids, SEEDS) != before
    with model.role("reference") as reference:
        assert generate(reference, ids, SEEDS, SAMPLING) == before


def test_generation_needs_a_held_role(model: RoleModel):
    with model.role("policy") as policy:
        pass
    with pytest.raises(RoleError, match=r"after its `with model.role"):
        generate(policy, prompt_ids(model), SEEDS, SAMPLING)


def test_generation_caches_and_training_does_not(model: RoleModel):
    seen: list[bool] = []
    model.base.model.base_model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["use_cache"]), with_kwargs=True
    )
    sample(model, prompt_ids(model), SEEDS)
    assert seen
    assert all(seen)


def test_the_output_head_is_never_copied_row_by_row(model: RoleModel):
    """A strided input makes torch copy the whole head for every row of the batch."""
    head = model.base.model.get_output_embeddings()
    handed: list[bool] = []
    used: list[bool] = []
    head.register_forward_pre_hook(
        lambda module, args: handed.append(args[0].is_contiguous()), prepend=True
    )
    head.register_forward_pre_hook(lambda module, args: used.append(args[0].is_contiguous()))
    sample(model, prompt_ids(model), SEEDS)
    assert not all(handed)
    assert used
    assert all(used)
