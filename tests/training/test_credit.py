"""The figures of a token report: those of a PPO step, and those of the formulas."""

from __future__ import annotations

import dataclasses
import re

import pytest
import torch

from rlhf_lab.errors import NotEnoughData
from rlhf_lab.models import Generated, RoleModel
from rlhf_lab.training import Readers, ReadText, credit, token_report, token_reports
from rlhf_lab.training.ppo_targets import kept_kl_coef
from rlhf_lab.training.rollout import Rollout, Texts
from rlhf_lab.types import Prompt, Response, Sampling, TokenReport
from tests.algorithms import reference
from tests.algorithms.batches import close
from tests.tiny import TEXTS, prompt, stir
from tests.training.ppo_steps import configure, rollout_prompts, rollouts, trainer

READERS = Readers(policy="policy@1", reward="reward@2", values="value", kl_coef=0.3)


def settings(**changes):
    return configure(gamma=0.9, lam=0.8, **changes)


def responses_of(rollout: Rollout) -> list[ReadText]:
    """What a step sampled, as the store would have it."""
    questions = [prompt(text) for text in TEXTS for _ in range(4)]
    return [
        ReadText(question, response_with(question, generated, f"r{n}"))
        for n, (question, generated) in enumerate(
            zip(questions, rollout.texts.generated, strict=True)
        )
    ]


def response_with(question: Prompt, generated: Generated, name: str = "r0") -> Response:
    return Response(
        id=name,
        prompt_id=question.id,
        text="",
        token_ids=tuple(generated.token_ids),
        version="policy@0",
        end_reason=generated.end_reason,
    )


def test_every_figure_is_that_of_a_ppo_step(model: RoleModel, monkeypatch):
    stir(model, "policy")
    ours = trainer(model, gamma=0.9, lam=0.8, kl_coef=0.3)
    before = {role: model.state(role) for role in ("policy", "value")}
    seen = rollouts(monkeypatch)
    stats = ours.step(rollout_prompts(model))
    for role, state in before.items():
        model.load_state(role, state)
    (rollout,) = seen
    ours.controller.coef = 0.3  # as it was when the step began
    rewards = ours._rewards(rollout)
    targets = ours._targets(rollout, rewards)

    reports = token_reports(model, responses_of(rollout), READERS, ours.config)

    kl, objective = 0.0, 0.0
    for row, report in enumerate(reports):
        own = slice(0, len(report.pieces))
        pairs = {
            "logp": rollout.logp,
            "ref_logp": rollout.ref_logp,
            "values": rollout.values,
            "rewards": rewards,
            "returns": targets.returns,
        }
        for name, expected in pairs.items():
            close(getattr(report, name), expected[row, own], rtol=1e-4, atol=1e-5)
        kl += sum(report.log_ratio) / 12
        objective += sum(report.rewards) / 12
        assert report.ended == (rollout.texts.generated[row].end_reason == "stop")
    assert stats.kl == pytest.approx(kl, rel=1e-4)
    assert stats.objective == pytest.approx(objective, rel=1e-4, abs=1e-5)
    # A step only shifts and scales the advantages of its whole batch.
    raw = [a for report in reports for a in report.advantages]
    whitened = reference.whiten(raw, keep_mean=False)
    close(targets.advantages[rollout.is_response_token], whitened, rtol=1e-3, atol=1e-4)


def canned(**changes) -> Rollout:
    """Two responses of 3 and 1 tokens, with numbers to work with by hand."""
    fields = {
        "texts": Texts([[1], [1]], [Generated([65, 66, 67], "stop"), Generated([68], "length")]),
        "planned": [],
        "groups": [],
        "batches": [],
        "is_response_token": torch.tensor([[True, True, True], [True, False, False]]),
        # Padding holds what must reach no figure.
        "logp": torch.tensor([[-1.0, -2.0, -0.5], [-3.0, 1e6, 1e6]]),
        "entropy": torch.zeros(2, 3),
        "ref_logp": torch.tensor([[-1.5, -1.0, -0.5], [-1.0, -1e6, 1e6]]),
        "values": torch.tensor([[0.5, 0.25, 1.0], [2.0, 1e6, 1e6]]),
        "scores": torch.tensor([2.0, 7.0]),
        **changes,
    }
    return Rollout(**fields)


def canned_reports(model: RoleModel, monkeypatch, readers=READERS, rollout=None, **changes):
    """Reports on `canned`, whatever the model would have computed."""
    monkeypatch.setattr(credit, "score_texts", lambda *a, **k: rollout or canned())
    texts = [
        ReadText(prompt("Tea?"), response_with(prompt("Tea?"), g, f"r{n}"))
        for n, g in enumerate(canned().texts.generated)
    ]
    return token_reports(model, texts, readers, settings(**changes))


def test_rewards_and_advantages_by_hand(model: RoleModel, monkeypatch):
    # log-ratio: -1 + 1.5 = 0.5; -2 + 1 = -1; 0.                 k3 = e^-d - 1 + d
    # reward: -0.3 x log-ratio, and the score of 2 at the end:    -0.15, 0.3, 2
    # delta: -0.15 + 0.9 x 0.25 - 0.5 = -0.425; 0.3 + 0.9 - 0.25 = 0.95; 2 - 1 = 1
    # advantage, back from the end with 0.9 x 0.8 = 0.72:         1; 1.67; 0.7774
    first, second = canned_reports(model, monkeypatch)
    close(first.log_ratio, [0.5, -1.0, 0.0])
    close(first.kl_k3, [0.1065307, 0.7182818, 0.0])
    close(first.rewards, [-0.15, 0.3, 2.0])
    close(first.advantages, [0.7774, 1.67, 1.0])
    close(first.returns, [1.2774, 1.92, 2.0])
    assert first.score == 2.0
    # The score of 7 is cut at 5; -0.3 x (-2) = 0.6 comes on top: 5.6, and 5.6 - 2 = 3.6.
    close(second.rewards, [5.6])
    close(second.advantages, [3.6])
    assert second.score == 5.0
    assert [r.ended for r in (first, second)] == [True, False]
    assert [p.id for p in first.pieces] == [65, 66, 67]


def test_a_response_without_an_end_loses_what_the_settings_say(model: RoleModel, monkeypatch):
    first, second = canned_reports(model, monkeypatch, missing_eos_penalty=1.5)
    assert (first.score, second.score) == (2.0, 3.5)
    close(second.rewards, [4.1])


def test_the_price_of_a_nat_is_the_readers_before_the_settings(model: RoleModel, monkeypatch):
    plain = dataclasses.replace(READERS, kl_coef=None)
    first, _ = canned_reports(model, monkeypatch, plain, kl_coef=2.0)
    assert first.kl_coef == 2.0
    close(first.rewards, [-1.0, 2.0, 2.0])


def test_rewards_are_never_whitened_over_the_texts_of_a_report(model: RoleModel, monkeypatch):
    first, _ = canned_reports(model, monkeypatch, whiten_rewards=True)
    close(first.rewards, [-0.15, 0.3, 2.0])
    close(first.advantages, [0.7774, 1.67, 1.0])


@pytest.mark.parametrize(
    ("missing", "absent", "said"),
    [
        ({"reward": None}, {"rewards", "advantages", "returns"}, r"lab\.update_reward"),
        ({"values": None}, {"values", "advantages", "returns"}, r"lab\.ppo\(\)"),
        (
            {"reward": None, "values": None},
            {"values", "rewards", "advantages", "returns"},
            r"lab\.update_reward",
        ),
    ],
)
def test_figures_of_a_missing_role_are_left_out_with_the_reason(
    model: RoleModel, monkeypatch, missing, absent, said
):
    readers = dataclasses.replace(READERS, **missing)
    rollout = canned(values=None) if "values" in missing else canned()
    first, _ = canned_reports(model, monkeypatch, readers, rollout)
    figures = ("logp", "ref_logp", "log_ratio", "kl_k3", "values", "rewards", "advantages")
    none = {name for name in (*figures, "returns") if getattr(first, name) is None}
    assert none == absent == set(first.left_out)
    assert re.search(said, first.left_out["advantages"])
    assert (first.score is None) == ("reward" in missing)


def test_scores_without_a_reward_version_may_be_anything(model: RoleModel, monkeypatch):
    rollout = canned(scores=torch.tensor([float("nan"), 1.0]))
    first, _ = canned_reports(
        model, monkeypatch, dataclasses.replace(READERS, reward=None), rollout
    )
    assert first.score is None


def test_a_text_from_elsewhere_is_read_with_the_end_a_policy_would_write(model: RoleModel):
    stir(model, "reward")
    report = token_report(model, prompt("Tea?"), "Yes!", READERS, settings())
    assert [(p.kind, p.text) for p in report.pieces] == [
        *(("text", c) for c in "Yes!"),
        ("special", "<|im_end|>"),
    ]
    assert (report.response_id, report.written_by, report.ended) == (None, None, True)


def test_log_probabilities_are_those_of_a_plain_model_in_float64(model: RoleModel):
    stir(model, "policy")
    config = settings(sampling=Sampling(temperature=0.5))
    report = token_report(model, prompt("Tea?"), "Yes!", READERS, config)
    ids = model.chat.encode(prompt("Tea?"))
    own = torch.tensor([p.id for p in report.pieces])
    for role, found in (("policy", report.logp), ("reference", report.ref_logp)):
        with model.role(role), torch.no_grad():
            logits = model.base.model(torch.tensor([[*ids, *own.tolist()]])).logits
        logits = logits[0, len(ids) - 1 : -1].double() / 0.5
        expected = logits.log_softmax(dim=-1).gather(1, own[:, None])[:, 0]
        close(found, expected, rtol=0, atol=1e-4)


def test_reading_changes_no_weight(model: RoleModel):
    before = {role: model.state(role) for role in ("policy", "reward", "value")}
    token_report(model, prompt("Tea?"), "Yes!", READERS, settings())
    for role, state in before.items():
        assert all(torch.equal(state[k], v) for k, v in model.state(role).items())


def test_an_empty_answer_is_refused(model: RoleModel):
    with pytest.raises(NotEnoughData, match="pass some text"):
        token_report(model, prompt("Tea?"), "", READERS, settings())


def test_its_repr_is_short(model: RoleModel, monkeypatch):
    first, _ = canned_reports(model, monkeypatch)
    assert isinstance(first, TokenReport)
    assert repr(first) == (
        "TokenReport(3 tokens read by policy@1, log-ratio -0.500 nats, score +2.000)"
    )


def test_a_checkpoint_hands_on_its_price_of_a_nat_unless_another_is_wanted():
    state = {"kl_coef_start": 0.05, "kl_coef": 0.07}
    assert kept_kl_coef(configure(kl_coef=0.05), state) == 0.07
    assert kept_kl_coef(configure(kl_coef=0.2), state) is None
    assert kept_kl_coef(configure(kl="fixed", kl_coef=0.05), state) is None
    assert kept_kl_coef(configure(), {}) is None  # the start of a tree
