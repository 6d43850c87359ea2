from __future__ import annotations

import resource
import sys
from types import SimpleNamespace

import pytest
import torch

from rlhf_lab.models.memory import peak_rss_mb
from rlhf_lab.training.ppo_stats import peak_memory_mb


@pytest.mark.parametrize(("platform", "counted"), [("linux", 2_000_000), ("darwin", 2_048_000_000)])
def test_peak_memory_is_the_same_in_either_unit_of_the_system(monkeypatch, platform, counted):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=counted))
    assert peak_rss_mb() == peak_memory_mb(torch.device("cpu")) == 2048.0
