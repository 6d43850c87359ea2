"""Going back, comparing and exporting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from rlhf_lab import Lab
from rlhf_lab.errors import ConfigError, NotEnoughData, UnknownVersion
from rlhf_lab.evaluation.evaluate import policy_as
from rlhf_lab.models import loading
from rlhf_lab.models.quiet import quiet
from tests.lab.labs import PPO, REWARD, open_lab
from tests.tiny import batch, logp_of, rows, same


def test_checkout_brings_weights_and_reward_back(taught: Lab):
    start = taught.model.state("policy")
    taught.ppo(steps=1, config=PPO).run()
    first = taught.model.state("policy")
    taught.generate(k=3, prompts=6, heldout=0.34)
    taught.annotate()
    taught.update_reward(REWARD)
    taught.ppo(steps=1, config=PPO).run()
    assert (taught.version, taught._bench.tree.head("reward").name) == ("policy@2", "reward@1")
    assert taught.checkout("policy@1").name == "policy@1"
    assert taught._bench.tree.head("reward").name == "reward@0"
    assert same(taught.model.state("policy"), first)
    assert taught.undo().name == "policy@0"
    assert same(taught.model.state("policy"), start)
    # The next run makes a branch; nothing is lost.
    taught.ppo(steps=1, config=PPO).run()
    assert taught.store.version("policy@3").parent == "policy@0"
    assert same(taught.model.state("policy"), first)
    shown = repr(taught.versions).splitlines()
    assert [line[:12].rstrip() for line in shown if "policy" in line] == [
        "  policy@0", "    policy@1", "      policy", "*   policy@3",
    ]  # fmt: skip
    assert "with reward@0" in shown[1]
    assert taught.versions._repr_html_().startswith("<pre>  policy@0")


def test_undo_at_the_start_is_said(taught: Lab):
    with pytest.raises(NotEnoughData, match="policy@0 is the start: there is nothing to undo"):
        taught.undo()


def test_an_unknown_version_is_said_and_nothing_changes(taught: Lab):
    for use in (taught.checkout, taught.evaluate):
        with pytest.raises(UnknownVersion, match="'policy@9' is not a version"):
            use("policy@9")
    assert taught.version == "policy@0"


def test_an_evaluation_leaves_the_policy_as_it_is(taught: Lab):
    taught.ppo(steps=1, config=PPO).run()
    before = taught.model.state("policy")
    taught.evaluate(prompts=2)
    assert same(taught.model.state("policy"), before)

    class Failing:
        name = "failing"

        def rank(self, prompt, candidates):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        taught.evaluate(prompts=3, judge=Failing())
    assert same(taught.model.state("policy"), before)
    start = taught._bench.tree.load(taught.store.version("policy@0")).tensors["policy"]
    with pytest.raises(ZeroDivisionError), policy_as(taught.model, start):
        _ = 1 / 0
    assert same(taught.model.state("policy"), before)


def test_a_version_is_not_evaluated_against_itself(taught: Lab):
    """It would be a tie with an interval of width 0, which looks like a result."""
    before = taught.store.counts()
    with pytest.raises(
        ConfigError, match=r"'policy@0' is the present policy.*take PPO steps first \(lab\.ppo\)"
    ):
        taught.evaluate()
    assert taught.store.counts() == before


def test_evaluation_responses_are_never_ranked(taught: Lab):
    taught.ppo(steps=1, config=PPO).run()
    total = taught.queue("someone").progress().total
    taught.evaluate(prompts=4)
    assert taught.queue("someone").progress().total == total


def test_an_export_is_what_peft_loads(taught: Lab, tiny_folder: Path, tmp_path: Path):
    taught.ppo(steps=2, config=PPO).run()
    folder = taught.export(tmp_path / "deep" / "adapter")
    assert sorted(p.name for p in folder.iterdir() if p.suffix != ".md") == [
        "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip
    taught.close()
    with quiet():
        plain = AutoModelForCausalLM.from_pretrained(tiny_folder, dtype=torch.float32)
        loaded = PeftModel.from_pretrained(plain, folder)
    with Lab(taught.path, progress=False) as lab:
        model = lab.model
        pairs = rows(model)
        ours = logp_of(model, batch(model, pairs[:1]))[0]
    question, answer = pairs[0]
    with torch.no_grad():
        logits = loaded(torch.tensor([question + answer])).logits[0, len(question) - 1 : -1]
        bare = loaded.get_base_model()
        with loaded.disable_adapter():
            start = bare(torch.tensor([question + answer])).logits[0, len(question) - 1 : -1]
    theirs, before = (
        x.log_softmax(-1).gather(1, torch.tensor(answer)[:, None])[:, 0] for x in (logits, start)
    )
    # The lab may compute in bf16 here.
    assert (ours - theirs).abs().max() < 0.1
    weights = {k.replace(".default.", "."): v for k, v in loaded.named_parameters() if "lora" in k}
    assert same(weights, {k: v for k, v in model.state("policy").items()})
    assert (theirs - before).abs().max() > 1e-4


def test_an_export_names_its_base_as_the_hub_does(
    path: Path, tiny_folder: Path, tmp_path: Path, monkeypatch
):
    """Not by the folder where this machine keeps it: an adapter is loaded elsewhere, too."""
    monkeypatch.setattr(loading, "resolve_model", lambda _: tiny_folder)
    with open_lab(path, "some/model") as lab:
        folder = lab.export(tmp_path / "adapter")
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "some/model"


def test_an_export_never_overwrites(taught: Lab, tmp_path: Path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    for target in (tmp_path / "full", tmp_path / "file"):
        with pytest.raises(ConfigError, match="choose a new folder"):
            taught.export(target)
    (tmp_path / "empty").mkdir()
    assert (taught.export(tmp_path / "empty") / "adapter_config.json").is_file()
