from __future__ import annotations

import resource
import sys
import warnings
import weakref
from types import SimpleNamespace

import pytest
import torch

from rlhf_lab.errors import OutOfMemory
from rlhf_lab.models.memory import Parts, is_out_of_memory, peak_rss_mb
from rlhf_lab.training.ppo_stats import peak_memory_mb


@pytest.mark.parametrize(("platform", "counted"), [("linux", 2_000_000), ("darwin", 2_048_000_000)])
def test_peak_memory_is_the_same_in_either_unit_of_the_system(monkeypatch, platform, counted):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=counted))
    assert peak_rss_mb() == peak_memory_mb(torch.device("cpu")) == 2048.0


def test_the_cpus_allocator_and_pythons_own_are_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**16)
    assert type(caught.value) is RuntimeError  # no class of its own
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory"),
    ],
)
def test_whatever_says_that_memory_ran_out_is_recognised(error: Exception):
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes differ"), ValueError("out of memory"), KeyboardInterrupt()]
)
def test_other_errors_are_none_of_memory(error: BaseException):
    assert not is_out_of_memory(error)


def room_for(parts: int, tried: list[int]):
    """Work that fits in so many parts."""

    def compute(count: int) -> str:
        tried.append(count)
        if count < parts:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return f"done in {count}"

    return compute


def parts_of_batches() -> Parts:
    return Parts("batches", remedy="Use a smaller model.")


def test_parts_are_doubled_until_they_fit_which_is_remembered_and_told_once():
    ours, tried = parts_of_batches(), []
    with pytest.warns(UserWarning, match=r"memory ran out \(CUDA.*\): batches are divided") as told:
        assert ours.until_they_fit(room_for(4, tried), most=8) == "done in 4"
    assert len(told) == 1
    assert (tried, ours.count) == ([1, 2, 4], 4)
    with warnings.catch_warnings(action="error"):
        assert ours.until_they_fit(room_for(4, tried), most=8) == "done in 4"
        assert ours.until_they_fit(room_for(8, tried), most=8) == "done in 8"
    assert tried == [1, 2, 4, 4, 4, 8]


def test_what_fits_is_neither_divided_nor_told():
    ours, tried = parts_of_batches(), []
    assert ours.until_they_fit(room_for(1, tried), most=8) == "done in 1"
    assert (tried, ours.count) == ([1], 1)


@pytest.mark.filterwarnings("ignore:memory ran out")
def test_when_nothing_can_be_divided_any_more_the_error_says_what_to_do():
    ours, tried = parts_of_batches(), []
    with pytest.raises(OutOfMemory) as caught:
        ours.until_they_fit(room_for(1000, tried), most=4)
    message = str(caught.value)
    assert "batches of one response each still run out of memory (CUDA out of memory." in message
    assert "Tried to allocate 2.00 GiB" in message
    assert message.endswith("Use a smaller model.")
    assert (tried, ours.count) == ([1, 2, 4], 1)


def test_other_errors_end_the_work_at_once():
    ours, tried = parts_of_batches(), []

    def broken(count: int) -> None:
        tried.append(count)
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        ours.until_they_fit(broken, most=8)
    assert (tried, ours.count) == ([1], 1)


@pytest.mark.filterwarnings("ignore:memory ran out")
def test_nothing_of_a_failed_attempt_is_held_while_the_next_one_runs():
    """An error's traceback holds the frames it went through, and they hold the tensors."""
    held: list[weakref.ref] = []

    def compute(count: int) -> int:
        assert all(ref() is None for ref in held)
        kept = torch.zeros(3)
        held.append(weakref.ref(kept))
        if count < 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return count

    assert parts_of_batches().until_they_fit(compute, most=4) == 4
    assert len(held) == 3
