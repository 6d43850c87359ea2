"""A model is certified before the first update of a session, and when somebody asks."""

from __future__ import annotations

import pytest

from rlhf_lab import Lab
from rlhf_lab.errors import CertificateError
from rlhf_lab.training import workbench
from rlhf_lab.training.certify import Certificate, Check
from tests.lab.labs import PPO, REWARD
from tests.tiny import same


@pytest.fixture
def certified(monkeypatch) -> list:
    made, certify = [], workbench.certify
    monkeypatch.setattr(workbench, "certify", lambda *a, **k: made.append(1) or certify(*a, **k))
    return made


def test_once_in_a_session_before_the_first_update(certified, taught: Lab):
    taught.update_reward(REWARD)
    for _ in range(2):
        taught.ppo(steps=1, config=PPO).run()
    assert len(certified) == 1
    taught._bench.let_go()
    taught.ppo(steps=1, config=PPO).run()
    assert len(certified) == 2


def test_a_failed_certificate_trains_nothing(taught: Lab, monkeypatch):
    taught._bench.let_go()
    bad = Certificate(
        model="tiny",
        quantization="none",
        dtype="float32",
        checks=(Check("more padding", 0.5, 1e-4), Check("order of the batch", 0.0, 1e-4)),
        seconds=1.0,
    )
    monkeypatch.setattr(workbench, "certify", lambda *a, **k: bad)
    before = taught.model.state("policy")
    with pytest.raises(CertificateError) as caught:
        taught.ppo(steps=1, config=PPO)
    message = str(caught.value)
    assert "more padding: 5.0e-01 (at most 1.0e-04)" in message
    assert "order of the batch" not in message
    assert "quantize='none'" in message
    assert taught.version == "policy@0"
    assert same(taught.model.state("policy"), before)


def test_anybody_may_ask(taught: Lab):
    certificate = taught.certify()
    assert certificate.passed
    assert [c.name for c in certificate.checks][-1] == "gradient against a plain model"


def test_what_passed_when_somebody_asked_is_not_asked_again(certified, taught: Lab):
    taught._bench.let_go()
    few = taught.certify(compare_gradients=False)
    assert "gradient against a plain model" not in [c.name for c in few.checks]
    taught.ppo(steps=1, config=PPO).run()
    assert len(certified) == 1
