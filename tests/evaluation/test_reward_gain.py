"""Whether the reward rose, and the alarm when preference did not rise with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rlhf_lab.errors import NonFiniteError
from rlhf_lab.evaluation.decline import stored_alarm
from rlhf_lab.evaluation.reward_gain import preference_alarm, reward_gain
from rlhf_lab.models import RoleModel
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Evaluation, Interval, Response, Sampling
from tests.evaluation.test_win_rate import report
from tests.tiny import batch, load_tiny, prompt, rows, stir

GAIN = Interval(estimate=0.62, low=0.41, high=0.83, n=64)
LOST = Interval(estimate=0.47, low=0.38, high=0.56, n=64)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PreferenceStore]:
    with PreferenceStore(tmp_path / "lab.sqlite") as opened:
        yield opened


def alarm(gain: Interval = GAIN, win_rate: Interval = LOST):
    return preference_alarm("policy@2", "policy@0", "reward@1", gain, win_rate)


# The rule


def test_it_names_what_rose_what_did_not_and_what_to_do():
    found = alarm()
    assert found.name == "reward up, preference not"
    assert found.message.startswith(
        "reward@1 scores policy@2 higher than policy@0 by 0.62 [0.41, 0.83] (n=64) deviations, but "
        "its win rate on the same held-out prompts is 0.47 [0.38, 0.56] (n=64), not above one half"
    )
    for step in ("Read some samples", "lab.rank()", "lab.update_reward()", "lab.undo()"):
        assert step in found.message


@pytest.mark.parametrize(
    ("gain", "win_rate"),
    [
        ({"low": 0.001}, {}),
        ({}, {"estimate": 0.5}),
        ({}, {"estimate": 0.0, "low": 0.0, "high": 0.3}),
        ({}, {"n": 8}),
    ],
)
def test_a_certain_rise_without_preference_is_alarming(gain: dict, win_rate: dict):
    assert alarm(replace(GAIN, **gain), replace(LOST, **win_rate)) is not None


@pytest.mark.parametrize("gain", [{"low": -0.2}, {"estimate": 0.0, "low": -0.2, "high": 0.2}])
def test_a_certain_loss_that_the_reward_does_not_see_is_alarming(gain: dict):
    fallen = replace(LOST, estimate=0.35, low=0.26, high=0.44)
    assert alarm(replace(GAIN, **gain), fallen) is not None


@pytest.mark.parametrize(
    ("gain", "win_rate"),
    [
        ({"low": 0.0}, {}),  # perhaps it did not rise
        ({"low": 0.0}, {"high": 0.5}),  # nor the other fall
        ({"low": 0.0}, {"high": 0.44, "n": 7}),
        ({"estimate": -0.01, "low": -0.2}, {"high": 0.44}),  # the reward sees it, too
        ({"estimate": -0.6, "low": -0.8, "high": -0.4}, {}),
        ({}, {"estimate": 0.51}),
        ({}, {"n": 7}),
    ],
)
def test_what_may_be_chance_is_not(gain: dict, win_rate: dict):
    assert alarm(replace(GAIN, **gain), replace(LOST, **win_rate)) is None


# The report


def test_a_report_tells_the_gain_and_the_alarm():
    plain = report([("aa", "a")] * 9)
    assert plain.alarm is None
    assert "higher" not in str(plain)
    risen = replace(plain, reward="reward@1", reward_gain=GAIN)
    assert "by longer, reward@1 0.62 [0.41, 0.83] (n=64) higher, KL 1.2" in str(risen)
    assert str(risen).splitlines()[1] == f"Alarm: {risen.alarm}"
    assert "<br>Alarm: reward up, preference not: reward@1 scores" in risen._repr_html_()
    won = replace(report([("a", "aa")] * 9), reward="reward@1", reward_gain=GAIN)
    assert won.alarm is None
    assert "Alarm" not in str(won)


# The store


def figures(win_rate: Interval, kl: float, **reward) -> dict[str, float]:
    return Evaluation(baseline="policy@0", win_rate=win_rate, kl=kl, **reward).figures()


RISEN = {"reward": "reward@1", "reward_gain": GAIN}


def test_an_evaluation_is_kept_and_gives_its_alarm_again(store: PreferenceStore):
    kept = figures(LOST, 3.5, **RISEN)
    assert (kept["kl"], kept["win_rate"], kept["reward_gain_low"]) == (3.5, 0.47, 0.41)
    store.log_metrics("evaluation", "policy@2", 0, kept)
    assert stored_alarm(store, "policy@2", "reward@1") == alarm()
    # Another reward has heard of it, another policy is not concerned.
    assert stored_alarm(store, "policy@2", "reward@2") is None
    assert stored_alarm(store, "policy@2", None) is None
    assert stored_alarm(store, "policy@1", "reward@1") is None


def test_the_last_evaluation_counts_and_those_of_an_older_release_say_nothing(
    store: PreferenceStore,
):
    store.log_metrics("evaluation", "policy@2", 0, figures(LOST, 1, **RISEN))
    won = replace(LOST, estimate=0.7)
    store.log_metrics("evaluation", "policy@2", 0, figures(won, 1, **RISEN))
    assert stored_alarm(store, "policy@2", "reward@1") is None
    store.log_metrics("evaluation", "policy@1", 0, {"win_rate": 0.1, "kl": 1.0})
    assert stored_alarm(store, "policy@1", "reward@1") is None
    assert set(figures(LOST, 1.0)) == {
        "baseline", "kl", "win_rate", "win_rate_low", "win_rate_high", "win_rate_n",
    }  # fmt: skip


# The gain


def responses(model: RoleModel, version: str, cut: int = 0) -> list[Response]:
    return [
        Response(
            id=f"{version}{n}", prompt_id="p", text="", token_ids=tuple(ids[cut:]),
            version=version, sampling=Sampling(), seed=0, end_reason="stop",
        )
        for n, (_, ids) in enumerate(rows(model))
    ]  # fmt: skip


def test_the_gain_is_the_mean_difference_of_normalised_scores(tiny_folder: Path):
    model = load_tiny(tiny_folder)
    stir(model, "reward", scale=0.3)
    with torch.no_grad():
        model.head("reward").mean.fill_(3.0)
        model.head("reward").scale.fill_(0.5)
    pairs = rows(model)
    scores = []
    for cut in (0, 1):
        with model.role("reward") as role:
            scores.append(role.scores(batch(model, [(p, r[cut:]) for p, r in pairs])))
    # The mean cancels out, the scale of 0.5 doubles.
    expected = 2 * (scores[1] - scores[0])
    asked = [prompt(text) for text in ("Why is the sky blue?", "Tea?")]
    asked.append(prompt("Name a river that flows to the north, please."))
    found = reward_gain(
        model, asked, responses(model, "policy@0"), responses(model, "policy@1", 1),
        seed=0, progress=False,
    )  # fmt: skip
    assert found.gain.estimate == pytest.approx(expected.mean().item(), rel=1e-4)
    assert found.gain.n == 3
    assert found.gain.low >= expected.min().item() - 1e-4
    ids = [r.id for r in (*responses(model, "policy@0"), *responses(model, "policy@1", 1))]
    singly = (torch.cat(scores) - 3.0) / 0.5
    assert list(found.scores) == ids
    assert list(found.scores.values()) == pytest.approx(singly.tolist(), rel=1e-4, abs=1e-5)
    same = reward_gain(
        model, asked, responses(model, "a"), responses(model, "b"), seed=0, progress=False
    )
    assert same.gain.estimate == pytest.approx(0, abs=1e-5)


def test_scores_that_are_not_finite_are_refused(tiny_folder: Path):
    model = load_tiny(tiny_folder)
    with torch.no_grad():
        model.head("reward").bias.fill_(float("nan"))
    written = responses(model, "policy@0")
    asked = [prompt("Tea?")] * 3
    with pytest.raises(NonFiniteError, match=r"scores \[nan, nan, nan\] for 6 of 6 responses"):
        reward_gain(model, asked, written, written, seed=0, progress=False)
