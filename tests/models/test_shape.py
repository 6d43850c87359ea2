from __future__ import annotations

import pytest
from transformers import LlamaConfig, ViTConfig

from rlhf_lab.errors import ConfigError, UnknownModel
from rlhf_lab.models.shape import shape_of
from rlhf_lab.types import LoraSpec
from tests.shapes import llama_3_8b, qwen3_8b

RANK_16 = LoraSpec(rank=16)


def test_parameters_of_an_8_billion_llama_by_hand():
    shape = shape_of(llama_3_8b(), RANK_16)
    embeddings = 128_256 * 4_096  # 525,336,576; the output head as many
    attention = 2 * 4_096 * 4_096 + 2 * 4_096 * 1_024  # 41,943,040
    feed_forward = 3 * 4_096 * 14_336  # 176,160,768
    norms = 65 * 4_096  # two a layer, and the last
    assert embeddings == 525_336_576
    assert 32 * (attention + feed_forward) == 6_979_321_856
    assert shape.parameters == 2 * embeddings + 6_979_321_856 + norms == 8_030_261_248
    assert sum(linear.numbers for linear in shape.linears) == 6_979_321_856
    assert shape.plain == 2 * embeddings + norms == 1_050_939_392
    assert len(shape.linears) == len(shape.adapted) == 32 * 7


def test_adapters_of_an_8_billion_llama_by_hand():
    shape = shape_of(llama_3_8b(), RANK_16)
    queries_and_output = 2 * (4_096 + 4_096)
    keys_and_values = 2 * (4_096 + 1_024)
    feed_forward = 3 * (4_096 + 14_336)
    assert queries_and_output + keys_and_values + feed_forward == 81_920
    assert shape.adapter_numbers(16) == 16 * 32 * 81_920 == 41_943_040
    assert shape.adapter_numbers(1) == 2_621_440


def test_what_goes_into_norms_by_hand():
    llama, qwen = shape_of(llama_3_8b(), RANK_16), shape_of(qwen3_8b(), RANK_16)
    assert (llama.normed, llama.norms) == (64 * 4_096, 64)
    # Qwen3 norms each of 32 + 8 heads of 128 as well.
    assert (qwen.normed, qwen.norms) == (72 * 4_096 + 36 * 40 * 128, 72 + 36 * 40)
    assert qwen.parameters == 8_190_735_360


def test_shared_embeddings_count_once():
    config = LlamaConfig(**{**llama_3_8b().to_dict(), "tie_word_embeddings": True})
    shape = shape_of(config, RANK_16)
    assert shape.parameters == 8_030_261_248 - 525_336_576
    assert sum(linear.numbers for linear in shape.linears) == 6_979_321_856


def test_adapters_may_sit_on_some_layers_alone():
    shape = shape_of(llama_3_8b(), LoraSpec(target_modules=("q_proj", "v_proj")))
    assert len(shape.adapted) == 32 * 2
    assert shape.adapter_numbers(1) == 32 * (4_096 + 4_096 + 4_096 + 1_024)
    pattern = shape_of(llama_3_8b(), LoraSpec(target_modules=r".*\.mlp\..*_proj"))
    assert len(pattern.adapted) == 32 * 3


def test_unknown_layers_are_named_with_those_there_are():
    with pytest.raises(ConfigError, match=r"'query',\): no linear layer .* some of \['down_proj'"):
        shape_of(llama_3_8b(), LoraSpec(target_modules=("query",)))


def test_the_configuration_is_left_as_it_was():
    config = llama_3_8b()
    before = config.to_dict()
    shape_of(config, RANK_16)
    assert config.to_dict() == before


def test_models_that_write_no_text_are_refused():
    with pytest.raises(UnknownModel, match="model_type 'vit' is not a causal language model"):
        shape_of(ViTConfig(), RANK_16)


def test_sliding_windows_keep_rows_apart():
    assert shape_of(llama_3_8b(), RANK_16).shares_prompts
    config = qwen3_8b()
    config.sliding_window = 64
    config.layer_types = ["sliding_attention"] * config.num_hidden_layers
    assert not shape_of(config, RANK_16).shares_prompts
