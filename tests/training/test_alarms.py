from __future__ import annotations

import dataclasses

import pytest

from rlhf_lab.training import PPOStats
from rlhf_lab.training.alarms import alarms


def steps(**figures: list[float]) -> list[PPOStats]:
    """Steps that differ in these figures alone."""
    whole = {f.name: 1.0 for f in dataclasses.fields(PPOStats)}
    columns = zip(*figures.values(), strict=True)
    return [PPOStats(**{**whole, **dict(zip(figures, row, strict=True))}) for row in columns]


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("negative KL", {"kl": [1.0, -0.21, -0.3, -0.5]}),
        ("entropy collapse", {"entropy": [2.0, 1.0, 0.49]}),
        ("length drift", {"response_length": [10.0, 20.0, 31.0]}),
        ("length drift", {"response_length": [30.0, 20.0, 9.0]}),
    ],
)
def test_what_is_alarming_has_a_name_its_value_and_a_next_step(name, figures):
    (found,) = alarms(steps(**figures))
    assert found.name == name
    last = next(iter(figures.values()))[-1]
    assert f"{last:.2f}" in str(found) or f"{last:.0f} tokens" in str(found)
    assert any(step in found.message for step in ("lab.certify()", "lab.undo()", "rank them"))


@pytest.mark.parametrize(
    "figures",
    [
        {"kl": [1.0, -0.3, -0.5, 0.1]},
        {"kl": [-0.3, -0.19, -0.5]},
        {"kl": [-0.3, -0.3]},
        {"entropy": [2.0, 0.5]},
        {"entropy": [2.0, 0.1, 1.0]},
        {"response_length": [10.0, 30.0]},
        {"response_length": [30.0, 10.0]},
    ],
)
def test_what_may_happen_by_chance_or_is_over_again_is_not(figures):
    assert alarms(steps(**figures)) == []


def test_several_alarms_are_all_told_and_nothing_is_no_alarm():
    found = alarms(steps(entropy=[2.0, 0.1], response_length=[10.0, 100.0]))
    assert [a.name for a in found] == ["entropy collapse", "length drift"]
    assert alarms([]) == []
