from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rlhf_lab.errors import ConfigError, ModelDownloadError, UnknownModel
from rlhf_lab.training import PPOConfig, Preflight, RewardConfig, preflight
from rlhf_lab.training.footprint import PARTS, WEIGHTS
from rlhf_lab.types import LoraSpec, Sampling
from tests.shapes import llama_3_8b, qwen3_8b

PHASES = ["generate", "reward update", "PPO rollout", "PPO scoring", "PPO update"]


def on_gpu(gib: float | None = None, **changes) -> Preflight:
    settings = {"device": "cuda", "memory_gib": gib, "response_tokens": 256, **changes}
    return preflight(qwen3_8b(), **settings)


def test_the_estimate_covers_every_phase_of_a_round():
    found = on_gpu(24)
    assert [phase.name for phase in found.phases] == PHASES
    assert all(tuple(phase.parts) == PARTS for phase in found.phases)
    assert all(phase.total == sum(phase.parts.values()) for phase in found.phases)
    assert found.peak is max(found.phases, key=lambda phase: phase.total)
    assert (found.parameters, found.dtype, found.device) == (8_190_735_360, "bfloat16", "cuda")
    assert found.memory == 24 * 2**30
    assert found.needed == found.peak.total


def test_it_fits_when_enough_stays_free(tiny_folder: Path):
    needed = on_gpu(24).peak.total / 2**30
    assert on_gpu(needed / 0.9 + 0.01).fits
    assert on_gpu(needed / 0.9 + 0.01).changes == ()
    assert not on_gpu(needed / 0.9 - 0.01).fits
    needed = preflight(tiny_folder, device="cpu", memory_gib=9.0).peak.total / 2**30
    assert preflight(tiny_folder, device="cpu", memory_gib=needed / 0.7 + 0.01).fits
    assert not preflight(tiny_folder, device="cpu", memory_gib=needed / 0.7 - 0.01).fits


def again_with(found: Preflight, **changes) -> Preflight:
    """The estimate with the changes that `found` asks for."""
    ppo, reward, lora = PPOConfig(), RewardConfig(), LoraSpec()
    settings = dict(changes)
    for change in found.changes:
        if change.setting == "PPOConfig.tokens_per_micro_batch":
            ppo = replace(ppo, tokens_per_micro_batch=change.after)
        elif change.setting == "RewardConfig.tokens_per_micro_batch":
            reward = replace(reward, tokens_per_micro_batch=change.after)
        elif change.setting == "LoraSpec.rank":
            lora = replace(lora, rank=change.after)
        elif change.setting == "Sampling.max_new_tokens":
            settings["response_tokens"] = change.after
        else:
            settings[change.setting] = change.after
    return on_gpu(found.memory / 2**30, ppo=ppo, reward=reward, lora=lora, **settings)


@pytest.mark.parametrize("gib", [10.5, 12, 14, 16])
@pytest.mark.parametrize("quantize", ["nf4", "none"])
def test_what_it_says_to_lower_makes_it_fit(gib: float, quantize: str):
    found = on_gpu(gib, quantize=quantize)
    assert not found.fits
    assert found.changes
    after = again_with(found, quantize=quantize) if quantize == "nf4" else again_with(found)
    assert after.fits
    assert after.peak.total == found.needed
    assert after.changes == ()


def test_settings_that_cost_time_alone_are_lowered_first():
    tight, tighter = on_gpu(14), on_gpu(10.3)
    assert [change.setting for change in tight.changes] == ["checkpointing"]
    assert {"LoraSpec.rank", "Sampling.max_new_tokens"} & {c.setting for c in tighter.changes}
    plain = on_gpu(16, quantize="none")
    assert ("quantize", "none", "nf4") in plain.changes


def test_nothing_is_lowered_that_does_not_help():
    # Long PPO micro-batches are all that is too much here.
    found = on_gpu(24, ppo=PPOConfig(tokens_per_micro_batch=4096), checkpointing=True)
    assert found.fits
    found = on_gpu(18, ppo=PPOConfig(tokens_per_micro_batch=4096), response_tokens=48)
    assert [change.setting for change in found.changes] == ["PPOConfig.tokens_per_micro_batch"]


def test_where_nothing_helps_the_least_needed_is_said():
    found = on_gpu(6)
    assert found.changes == ()
    assert found.needed > 0.9 * found.memory
    assert found.verdict.startswith(f"does not fit: {found.peak.name} needs")
    assert "with every setting at its lowest still" in found.verdict
    assert found.verdict.endswith("Choose a smaller model or another device")


def test_the_table_reads_in_a_terminal_and_in_a_notebook():
    found = on_gpu(14)
    lines = str(found).splitlines()
    assert repr(found) == str(found)
    assert lines[0] == "qwen3: 8.19 billion parameters, 4-bit weights, bfloat16 on cuda"
    assert lines[1].split() == ["GiB", *" ".join(PHASES).split()]
    assert lines[2].split() == ["base", "weights"] + ["5.66"] * 5
    assert len({len(line) for line in lines[1:-1]}) == 1
    assert "dense copies" not in str(found)  # there are none on a GPU
    assert lines[-1] == found.verdict
    assert "Change checkpointing False → True: then" in found.verdict
    page = found._repr_html_()
    assert page.count("<tr>") == len(lines) - 2
    assert "<th>PPO update</th>" in page
    assert "False → True" in page


def test_small_models_are_told_in_mib(tiny_folder: Path):
    found = preflight(tiny_folder, device="cpu", memory_gib=8)
    assert "MiB" in str(found).splitlines()[1]
    assert re.fullmatch(
        r"fits: .* needs \d+ MiB and of 8\.0 GiB on cpu 30% have to stay free", found.verdict
    )


def test_without_a_figure_the_present_device_is_asked(tiny_folder: Path, monkeypatch):
    import psutil

    memory = psutil.virtual_memory()._replace(available=3 * 2**30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert preflight(tiny_folder, device="cpu").memory == 3 * 2**30
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5 * 2**30, 8 * 2**30))
    found = preflight(tiny_folder)
    assert (found.device, found.memory, found.dtype) == ("cuda", 5 * 2**30, "float32")


def test_a_device_that_is_not_here_has_no_free_memory(tiny_folder: Path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = preflight(tiny_folder, device="cuda")
    assert (found.memory, found.fits, found.changes) == (None, None, ())
    assert "memory_gib= says whether that fits another machine" in found.verdict


def test_a_folder_needs_no_weights_and_a_dict_no_folder(tiny_folder: Path, tmp_path: Path):
    text = (tiny_folder / "config.json").read_text()
    (tmp_path / "config.json").write_text(text)
    where = {"device": "cpu", "memory_gib": 8.0}
    expected = preflight(tiny_folder, **where)
    assert expected.model == str(tiny_folder)
    for model in (tmp_path, str(tmp_path), json.loads(text)):
        assert preflight(model, **where).phases == expected.phases


def test_the_dict_of_a_large_model_is_that_model():
    assert preflight(llama_3_8b().to_dict(), device="cuda").parameters == 8_030_261_248


def test_response_length_is_that_of_the_rollout(tiny_folder: Path):
    def cache(**settings) -> int:
        return preflight(tiny_folder, device="cpu", **settings).phases[0].parts["KV cache"]

    longer = PPOConfig(sampling=Sampling(max_new_tokens=96))
    assert cache() == cache(response_tokens=48)
    assert cache(ppo=longer) == cache(response_tokens=96)
    assert cache(ppo=longer, response_tokens=48) == cache()


def test_models_that_are_none_are_refused(tmp_path: Path, tiny_folder: Path):
    with pytest.raises(UnknownModel, match="is neither an existing folder nor a hub id"):
        preflight("qwen")
    with pytest.raises(UnknownModel, match=r"has no config\.json"):
        preflight(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "no such kind"}')
    with pytest.raises(UnknownModel, match="is no configuration that transformers can read"):
        preflight(tmp_path)
    with pytest.raises(UnknownModel, match="the given configuration is no configuration"):
        preflight({"hidden_size": 64})


def test_without_a_network_the_next_step_is_said():
    with pytest.raises(ModelDownloadError, match=r"'Qwen/Qwen3-8B' is not in the local cache"):
        preflight("Qwen/Qwen3-8B")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"quantize": "int8"}, "quantize='int8': use 'nf4'"),
        ({"prompt_tokens": 0}, "prompt_tokens=0, response_tokens=48: both need at least 1"),
        ({"response_tokens": 500}, "must fit the model's context of 512 tokens"),
        ({"memory_gib": 0}, "memory_gib=0: it must be above 0"),
        ({"lora": LoraSpec(target_modules=("query",))}, "no linear layer of this model"),
    ],
)
def test_bad_settings_are_refused(tiny_folder: Path, settings: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        preflight(tiny_folder, **settings)


def test_weights_are_the_same_in_every_phase():
    found = on_gpu(24)
    assert len({phase.parts[WEIGHTS] for phase in found.phases}) == 1
