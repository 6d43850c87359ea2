from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from rlhf_lab.errors import LabMismatch, RoleError
from rlhf_lab.models import RoleModel, ScalarHead
from rlhf_lab.models.quiet import quiet
from rlhf_lab.models.roles import RoleName
from tests.tiny import batch, load_tiny, logp_of, rows, same, stir

Pair = tuple[list[int], list[int]]


def plain_peft(folder: Path, model: RoleModel, role: RoleName) -> Any:
    """A role's adapter on a model of its own, in float64."""
    config = LoraConfig(
        r=model.lora.rank,
        lora_alpha=model.lora.alpha,
        target_modules=model.lora.target_modules,
        task_type="CAUSAL_LM",
    )
    with quiet():
        plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        peft = get_peft_model(plain, config).double()
    places = dict(peft.named_parameters())
    with torch.no_grad():
        for key, value in model.state(role).items():
            if not key.startswith("head."):
                places[key.replace(".weight", ".default.weight")].copy_(value)
    return peft


def expected_logprobs(peft: Any, pair: Pair, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """Log-probability and entropy of each response token of one unpadded row."""
    ids, answer = pair
    logits = peft(torch.tensor([[*ids, *answer]])).logits[0, len(ids) - 1 : -1]
    log_probs = (logits / temperature).log_softmax(dim=-1)
    chosen = log_probs.gather(1, torch.tensor(answer)[:, None]).squeeze(1)
    return chosen, -(log_probs.exp() * log_probs).sum(dim=-1)


@pytest.mark.parametrize("temperature", [1.0, 0.7, 2.5])
def test_logprobs_and_entropies_equal_a_float64_reference(
    model: RoleModel, tiny_folder: Path, temperature: float
):
    stir(model, "policy")
    peft = plain_peft(tiny_folder, model, "policy")
    pairs = rows(model)
    with model.role("policy") as policy:
        found = policy.logprobs(batch(model, pairs), temperature=temperature)
    for row, pair in enumerate(pairs):
        count = len(pair[1])
        logp, entropy = (t.detach() for t in expected_logprobs(peft, pair, temperature))
        torch.testing.assert_close(found.logp[row, :count].double(), logp, atol=1e-5, rtol=0)
        torch.testing.assert_close(found.entropy[row, :count].double(), entropy, atol=1e-5, rtol=0)
        assert not found.logp[row, count:].any()
        assert not found.entropy[row, count:].any()


def test_logprobs_do_not_move_with_padding_or_order(model: RoleModel):
    stir(model, "policy")
    pairs = rows(model)
    together = logp_of(model, batch(model, pairs))
    backwards = logp_of(model, batch(model, pairs[::-1])).flip(0)
    torch.testing.assert_close(backwards, together, atol=1e-5, rtol=0)
    for row, pair in enumerate(pairs):
        alone = logp_of(model, batch(model, [pair]))[0]
        torch.testing.assert_close(alone, together[row, : len(alone)], atol=1e-5, rtol=0)


@pytest.mark.parametrize("pad_id", [0, 100, 258])
def test_what_stands_in_the_padding_changes_nothing(model: RoleModel, pad_id: int):
    stir(model, "policy", "reward", "value")
    ours, theirs = (batch(model, rows(model), pad_id=i) for i in (None, pad_id))
    assert torch.equal(logp_of(model, ours), logp_of(model, theirs))
    with model.role("reward") as reward:
        assert torch.equal(reward.scores(ours), reward.scores(theirs))
    with model.role("value") as value:
        found = [value.values(b)[b.is_response_token] for b in (ours, theirs)]
    assert torch.equal(*found)


def test_the_same_layout_gives_the_same_logprobs_bit_by_bit(model: RoleModel):
    stir(model, "policy")
    tokens = batch(model, rows(model))
    sampled = logp_of(model, tokens)
    with model.role("policy", train=True) as policy:
        learning = policy.logprobs(tokens).logp
    assert learning.requires_grad
    assert torch.equal(learning.detach(), sampled)


def test_gradients_equal_those_of_a_separate_plain_model(model: RoleModel, tiny_folder: Path):
    stir(model, "policy", "reference", "reward", "value")
    pairs = rows(model)
    weights = [0.3, -1.0, 2.0]
    with model.role("policy", train=True) as policy:
        logp = policy.logprobs(batch(model, pairs), temperature=0.8).logp
        (torch.tensor(weights) @ logp.sum(dim=1)).backward()
    peft = plain_peft(tiny_folder, model, "policy")
    loss = sum(
        w * expected_logprobs(peft, p, 0.8)[0].sum() for w, p in zip(weights, pairs, strict=True)
    )
    loss.backward()
    expected = {k.replace(".default.", "."): p.grad for k, p in peft.named_parameters()}
    found = {k: p.grad for k, p in model.parameters("policy").items()}
    assert len(found) == 2 * 7 * 2
    for key, gradient in found.items():
        scale = expected[key].abs().max().item()
        assert scale > 0
        torch.testing.assert_close(gradient.double(), expected[key], atol=1e-4 * scale, rtol=0)


@pytest.mark.parametrize("role", ["policy", "reward", "value"])
def test_gradients_reach_only_the_held_role(model: RoleModel, role: RoleName):
    stir(model, "policy", "reward", "value")
    tokens = batch(model, rows(model))
    with model.role(role, train=True) as held:
        output = held.logprobs(tokens).logp if role == "policy" else held.scores(tokens)
        output.sum().backward()
    own = {id(p) for p in model.parameters(role).values()}
    without = {"head.log_tie"}  # scores do not depend on the tie parameter
    named = model.parameters(role).items()
    assert all(p.grad is not None and p.grad.any() for k, p in named if k not in without)
    everything = [*model.peft.parameters(), *model.heads.parameters()]
    assert all(p.grad is None for p in everything if id(p) not in own)


def test_outside_a_block_nothing_can_be_trained(model: RoleModel):
    with model.role("value", train=True):
        pass
    assert not any(p.requires_grad for p in model.peft.parameters())
    assert not any(p.requires_grad for p in model.heads.parameters())
    assert torch.is_grad_enabled()
    with model.role("policy") as policy:
        assert not policy.logprobs(batch(model, rows(model))).logp.requires_grad


def test_a_second_role_cannot_be_taken_while_one_is_held(model: RoleModel):
    with model.role("policy", train=True) as policy:
        with (
            pytest.raises(RoleError, match="'reward' was asked for while 'policy' is held"),
            model.role("reward"),
        ):
            pass
        # The first stays usable, backward included.
        policy.logprobs(batch(model, rows(model))).logp.sum().backward()


def test_a_role_is_given_back_when_its_block_fails(model: RoleModel):
    with pytest.raises(ZeroDivisionError), model.role("policy", train=True):
        _ = 1 / 0
    with model.role("reward"):
        pass


def test_a_role_cannot_be_used_after_its_block(model: RoleModel):
    tokens = batch(model, rows(model))
    with model.role("reward") as reward:
        pass
    for use in (reward.scores, reward.values, reward.logprobs):
        with pytest.raises(RoleError, match="'reward' was used after its"):
            use(tokens)
    with model.role("reward"), pytest.raises(RoleError, match="used after"):
        reward.scores(tokens)


@pytest.mark.parametrize("then", [None, "reward"])
def test_a_backward_pass_after_the_block_raises(model: RoleModel, then: RoleName | None):
    with model.role("policy", train=True) as policy:
        loss = policy.logprobs(batch(model, rows(model))).logp.sum()
    if then is None:
        with pytest.raises(RoleError, match="keep forward and backward inside"):
            loss.backward()
    else:
        with model.role(then, train=True), pytest.raises(RoleError, match="keep forward"):
            loss.backward()
    assert all(p.grad is None for p in model.parameters("reward").values())


def test_unknown_roles_and_a_trained_reference_are_refused(model: RoleModel):
    with (
        pytest.raises(RoleError, match="'critic' is no role: use one of policy"),
        model.role("critic"),
    ):
        pass
    with (
        pytest.raises(RoleError, match="the reference is frozen"),
        model.role("reference", train=True),
    ):
        pass
    with model.role("policy") as policy, pytest.raises(RoleError, match="has no scalar head"):
        policy.scores(batch(model, rows(model)))


def test_the_reference_is_the_bare_base_at_the_start(model: RoleModel, tiny_folder: Path):
    tokens = batch(model, rows(model))
    start = logp_of(model, tokens)
    assert torch.equal(logp_of(model, tokens, "reference"), start)
    stir(model, "policy")
    assert not torch.allclose(logp_of(model, tokens), start, atol=1e-3)
    assert torch.equal(logp_of(model, tokens, "reference"), start)


def test_the_reference_can_be_a_frozen_copy_of_a_policy(model: RoleModel):
    tokens = batch(model, rows(model))
    bare = logp_of(model, tokens)
    stir(model, "policy")
    taught = logp_of(model, tokens)
    model.set_reference(model.state("policy"))
    stir(model, "policy", seed=2)
    assert torch.equal(logp_of(model, tokens, "reference"), taught)
    assert not torch.allclose(logp_of(model, tokens), taught, atol=1e-3)
    assert not any(p.requires_grad for p in model.peft.parameters())
    model.set_reference(None)
    assert torch.equal(logp_of(model, tokens, "reference"), bare)


def test_the_value_starts_as_the_rewards_normalised_output(model: RoleModel):
    stir(model, "reward", scale=0.2)
    head = model.head("reward")
    with torch.no_grad():
        head.mean.fill_(0.7)
        head.scale.fill_(2.5)
    model.copy_role("reward", "value")
    tokens = batch(model, rows(model))
    with model.role("reward") as reward:
        expected = head.normalised(reward.scores(tokens))
    with model.role("value") as value:
        found = value.scores(tokens)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert expected.std() > 1e-3


def test_values_stand_before_their_tokens_and_scores_on_the_last(model: RoleModel):
    stir(model, "value")
    pairs = rows(model)
    tokens = batch(model, pairs)
    with model.role("value") as value:
        values, scores = value.values(tokens), value.scores(tokens)
        hidden = model.base.model.base_model(
            torch.tensor([[*pairs[1][0], *pairs[1][1]]])
        ).last_hidden_state[0]
    head = model.head("value")
    start, count = len(pairs[1][0]), len(pairs[1][1])
    expected = (hidden @ head.weight + head.bias).detach()
    near = {"atol": 1e-5, "rtol": 0}
    torch.testing.assert_close(values[1, :count], expected[start - 1 : -1], **near)
    torch.testing.assert_close(scores[1], expected[-1], **near)


def test_head_weights_start_with_the_documented_deviation():
    torch.manual_seed(0)
    head = ScalarHead(10_000)
    assert head.weight.std().item() * 10_001**0.5 == pytest.approx(1.0, abs=0.03)
    assert head.bias.item() == 0
    hidden = torch.randn(3, 10_000)
    torch.testing.assert_close(head.normalised(head(hidden)), head(hidden))


def test_heads_and_logprobs_are_fp32_whatever_the_model_computes_in(tiny_folder: Path):
    model = load_tiny(tiny_folder, dtype=torch.bfloat16)
    tokens = batch(model, rows(model))
    assert {p.dtype for p in model.heads.parameters()} == {torch.float32}
    assert {p.dtype for p in model.parameters("policy").values()} == {torch.float32}
    assert logp_of(model, tokens).dtype == torch.float32
    with model.role("reward") as reward:
        assert reward.scores(tokens).dtype == torch.float32


def test_states_come_back_exactly(model: RoleModel):
    stir(model, "reward")
    model.head("reward").mean.fill_(3.0)
    kept = model.state("reward")
    stir(model, "reward", seed=5)
    model.head("reward").mean.fill_(0.0)
    assert not same(model.state("reward"), kept)
    model.load_state("reward", kept)
    assert same(model.state("reward"), kept)


def test_roles_have_the_same_parameter_names_and_separate_weights(model: RoleModel):
    policy, reward = (model.parameters(r) for r in ("policy", "reward"))
    assert set(policy) == {k for k in reward if not k.startswith("head.")}
    assert not {p.data_ptr() for p in policy.values()} & {p.data_ptr() for p in reward.values()}


@pytest.mark.parametrize("damage", ["shape", "missing", "extra"])
def test_weights_that_do_not_fit_change_nothing(model: RoleModel, damage: str):
    stir(model, "policy")
    before = model.state("policy")
    wrong = {k: v + 1 for k, v in before.items()}
    last = list(wrong)[-1]
    if damage == "shape":
        wrong[last] = torch.zeros(1, 1)
    elif damage == "missing":
        del wrong[last]
    else:
        wrong["more"] = torch.zeros(1)
    with pytest.raises(LabMismatch, match="weights for 'policy' do not fit"):
        model.load_state("policy", wrong)
    assert same(model.state("policy"), before)


def test_weights_of_another_rank_do_not_fit(model: RoleModel, tiny_folder: Path):
    other = load_tiny(tiny_folder, rank=2)
    with pytest.raises(LabMismatch, match="another LoRA shape than rank 4"):
        model.load_state("policy", other.state("policy"))


def test_the_seed_settles_adapters_and_heads_without_touching_torchs_own(tiny_folder: Path):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first = load_tiny(tiny_folder)
    assert torch.equal(torch.rand(1), expected)
    second = load_tiny(tiny_folder)
    assert all(same(first.state(r), second.state(r)) for r in ("policy", "reward", "value"))


def test_there_is_no_dropout_even_where_the_model_asks_for_it(tiny_folder: Path, tmp_path: Path):
    folder = shutil.copytree(tiny_folder, tmp_path / "dropping")
    config = json.loads((folder / "config.json").read_text()) | {"attention_dropout": 0.5}
    (folder / "config.json").write_text(json.dumps(config))
    model = load_tiny(folder)
    dropouts = [m.p for m in model.peft.modules() if isinstance(m, nn.Dropout)]
    assert not any(dropouts)
    assert model.base.model.config.attention_dropout == 0
    model.peft.train()
    tokens = batch(model, rows(model))
    assert torch.equal(logp_of(model, tokens), logp_of(model, tokens))


def test_logprobs_never_hold_batch_by_tokens_by_vocabulary(model: RoleModel):
    calls: list[int] = []
    head = model.base.model.get_output_embeddings()
    head.register_forward_hook(lambda *_: calls.append(1))
    logp_of(model, batch(model, rows(model)))
    assert not calls


def test_a_head_cannot_be_switched_mid_block(model: RoleModel):
    """Switching adapters behind a held role's back is what the block is for."""
    tokens = batch(model, rows(model))
    with model.role("policy") as policy:
        before = policy.logprobs(tokens).logp
        with pytest.raises(RoleError):
            model.role("value").__enter__()
        assert torch.equal(policy.logprobs(tokens).logp, before)


def test_training_forwards_say_positions_and_padding_and_use_no_cache(model: RoleModel):
    seen: list[dict[str, Any]] = []
    model.base.model.base_model.register_forward_pre_hook(
        lambda module, args, options: seen.append(options), with_kwargs=True
    )
    tokens = batch(model, rows(model))
    with model.role("policy", train=True) as policy:
        policy.logprobs(tokens).logp.sum().backward()
    (options,) = seen
    assert options["use_cache"] is False
    assert torch.equal(options["position_ids"], tokens.position_ids)
    assert torch.equal(options["attention_mask"], tokens.is_token.long())


def test_the_policy_gives_values_from_its_own_hidden_states_beside_its_logprobs(model: RoleModel):
    stir(model, "policy")
    tokens = batch(model, rows(model))
    head = model.head("policy_value")
    with model.role("policy") as policy:
        logp, values = policy.logprobs_and_values(tokens, temperature=0.7)
        assert torch.equal(values, torch.zeros_like(values))  # as it starts
        alone = policy.logprobs(tokens, temperature=0.7)
    assert torch.equal(logp.logp, alone.logp)
    assert torch.equal(logp.entropy, alone.entropy)
    # The value role with the policy's adapter and this head is the same computation.
    with torch.no_grad():
        head.weight.copy_(torch.linspace(-1, 1, len(head.weight)))
        head.bias.fill_(0.5)
    model.copy_role("policy", "value")
    model.load_state("value", model.state("value") | model.state("policy_value"))
    with model.role("policy") as policy:
        values = policy.logprobs_and_values(tokens)[1]
    with model.role("value") as value:
        assert torch.equal(values, value.values(tokens))


def test_only_the_policy_has_values_beside_logprobs(model: RoleModel):
    with model.role("value") as value, pytest.raises(RoleError, match="'value' has no value head"):
        value.logprobs_and_values(batch(model, rows(model)))
