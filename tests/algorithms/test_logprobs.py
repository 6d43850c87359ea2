from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from rlhf_lab.algorithms import TokenLogprobs, token_logprobs
from rlhf_lab.errors import ShapeError
from tests.algorithms import reference
from tests.algorithms.batches import close


def draw(
    seed: int, tokens: int = 7, dim: int = 5, vocabulary: int = 11
) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(tokens, dim, generator=generator)
    weight = torch.randn(vocabulary, dim, generator=generator)
    target = torch.randint(vocabulary, (tokens,), generator=generator)
    return hidden, weight, target


def test_logprob_and_entropy_worked_by_hand():
    # Logits log 4, log 2, log 2: probabilities 1/2, 1/4, 1/4, whose entropy is 1.5 log 2.
    weight = torch.tensor([[4.0], [2.0], [2.0]]).log()
    found = token_logprobs(torch.ones(2, 1), weight, torch.tensor([0, 2]))
    close(found.logp, np.log([0.5, 0.25]))
    close(found.entropy, [1.5 * np.log(2)] * 2)
    # Temperature 1/2 squares the odds to 4 : 1 : 1.
    hotter = token_logprobs(torch.ones(1, 1), weight, torch.tensor([0]), temperature=0.5)
    close(hotter.logp, np.log([4 / 6]))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("seed", range(4))
def test_values_equal_the_reference(seed, temperature):
    hidden, weight, target = draw(seed)
    found = token_logprobs(hidden, weight, target, temperature=temperature, chunk=3)
    for t in range(len(target)):
        logp, entropy = reference.token_logprob(
            hidden[t].double().numpy(), weight.double().numpy(), int(target[t]), temperature
        )
        close(found.logp[t], logp)
        close(found.entropy[t], entropy)


@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_gradient_equals_autograd_through_log_softmax_in_float64(temperature):
    hidden, weight, target = draw(0)
    upstream = torch.linspace(-1, 2, len(target))
    leaf = hidden.clone().requires_grad_()
    found = token_logprobs(leaf, weight, target, temperature=temperature, chunk=3)
    found.logp.backward(upstream)
    exact = hidden.double().requires_grad_()
    log_probs = (exact @ weight.double().T / temperature).log_softmax(dim=-1)
    log_probs[torch.arange(len(target)), target].backward(upstream.double())
    close(leaf.grad, exact.grad)


def test_gradient_equals_finite_differences_of_the_reference():
    hidden, weight, target = draw(1, tokens=3, dim=4)
    leaf = hidden.clone().requires_grad_()
    token_logprobs(leaf, weight, target, temperature=0.8).logp.sum().backward()
    slopes, step = np.zeros((3, 4)), 1e-6
    for t in range(3):
        for d in range(4):
            ends = []
            for sign in (1, -1):
                moved = hidden[t].double().numpy().copy()
                moved[d] += sign * step
                ends.append(
                    reference.token_logprob(moved, weight.double().numpy(), int(target[t]), 0.8)[0]
                )
            slopes[t, d] = (ends[0] - ends[1]) / (2 * step)
    close(leaf.grad, slopes)


def test_a_step_along_the_gradient_makes_the_target_likelier():
    # Fails when the sign of the gradient flips.
    hidden, weight, target = draw(2)
    leaf = hidden.clone().requires_grad_()
    before = token_logprobs(leaf, weight, target).logp
    before.sum().backward()
    assert leaf.grad is not None
    after = token_logprobs(hidden + 0.05 * leaf.grad, weight, target).logp
    assert (after > before).all()


@pytest.mark.parametrize("block", [1, 4, 10, 11, 4096])
@pytest.mark.parametrize("chunk", [1, 2, 7, 128])
def test_chunks_and_blocks_change_neither_values_nor_gradients(chunk, block):
    hidden, weight, target = draw(3)
    results = []
    for size in ({"chunk": chunk, "block": block}, {"chunk": 3, "block": 11}):
        leaf = hidden.clone().requires_grad_()
        found = token_logprobs(leaf, weight, target, **size)
        found.logp.sum().backward()
        assert leaf.grad is not None
        results.append(torch.cat([found.logp.detach(), found.entropy, leaf.grad.flatten()]))
    close(results[0], results[1])


def test_no_tokens_are_no_logprobs():
    hidden, weight, target = draw(0, tokens=0)
    leaf = hidden.requires_grad_()
    found = token_logprobs(leaf, weight, target)
    assert found.logp.shape == found.entropy.shape == (0,)
    found.logp.sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.shape == (0, 5)


def test_only_logp_and_only_the_hidden_states_take_part_in_gradients():
    hidden, weight, target = draw(0)
    hidden.requires_grad_()
    weight.requires_grad_()
    found = token_logprobs(hidden, weight, target)
    assert found.logp.requires_grad
    assert not found.entropy.requires_grad
    found.logp.sum().backward()
    assert weight.grad is None


def test_half_precision_in_gives_float32_out_and_a_gradient_of_its_own_kind():
    hidden, weight, target = (t.bfloat16() if t.is_floating_point() else t for t in draw(0))
    leaf = hidden.clone().requires_grad_()
    found = token_logprobs(leaf, weight, target)
    assert found.logp.dtype == found.entropy.dtype == torch.float32
    exact = token_logprobs(hidden.float(), weight.float(), target)
    assert torch.equal(found.logp, exact.logp)
    found.logp.sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.dtype == torch.bfloat16


@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_half_precision_costs_no_accuracy_but_that_of_the_gradients_own_type(scale):
    hidden, weight, target = draw(5, tokens=40, dim=64, vocabulary=9000)
    hidden, weight = (scale * hidden).bfloat16(), (0.3 * weight).bfloat16()
    target[:8] = (hidden[:8].float() @ weight.float().T).argmax(dim=1)  # some nearly certain ones
    leaf = hidden.clone().requires_grad_()
    found = token_logprobs(leaf, weight, target, temperature=0.7)
    found.logp.sum().backward()
    exact = hidden.double().requires_grad_()
    log_probs = (exact @ weight.double().T / 0.7).log_softmax(dim=-1)
    logp = log_probs[torch.arange(40), target]
    logp.sum().backward()
    close(found.logp, logp.detach())
    close(found.entropy, -(log_probs.exp() * log_probs).sum(dim=-1).detach())
    assert leaf.grad is not None
    assert exact.grad is not None
    # Per token, so that the small gradients of likely tokens count, too. bf16 keeps 8 bits.
    error = (leaf.grad.double() - exact.grad).norm(dim=1) / exact.grad.norm(dim=1)
    assert error.max() < 2**-8


def test_the_precision_of_other_matrix_products_is_left_alone():
    hidden, weight, target = (t.bfloat16() if t.is_floating_point() else t for t in draw(0))
    before = torch.backends.mkldnn.matmul.fp32_precision
    token_logprobs(hidden, weight, target)
    assert torch.backends.mkldnn.matmul.fp32_precision == before


def test_autocast_does_not_reach_the_logits():
    hidden, weight, target = draw(0)
    plain = token_logprobs(hidden, weight, target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = token_logprobs(hidden, weight, target)
    assert torch.equal(plain.logp, under_autocast.logp)
    assert torch.equal(plain.entropy, under_autocast.entropy)


def test_values_are_the_same_with_and_without_gradients():
    # The ratio of PPO starts at exactly 1 only because of this.
    hidden, weight, target = draw(0)
    with torch.no_grad():
        without = token_logprobs(hidden, weight, target)
    found = token_logprobs(hidden.clone().requires_grad_(), weight, target)
    assert torch.equal(found.logp, without.logp)


def test_large_logits_stay_finite():
    hidden, weight = torch.tensor([[1000.0]]), torch.tensor([[1.0], [-1.0], [0.0]])
    found = token_logprobs(hidden, weight, torch.tensor([1]))
    close(found.logp, [-2000.0])
    close(found.entropy, [0.0])


@pytest.mark.parametrize("targets", [2, 4])
def test_states_and_targets_of_different_number_are_refused(targets):
    hidden, weight, _ = draw(0, tokens=3)
    with pytest.raises(
        ShapeError, match=rf"3 hidden states for {targets} targets: pass the one state"
    ):
        token_logprobs(hidden, weight, torch.zeros(targets, dtype=torch.int64))


class Sizes(TorchDispatchMode):
    """Notes the largest tensor that any operation made, and the most floats alive at once."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0
        self.peak = 0
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None) -> Any:
        result = func(*args, **(kwargs or {}))
        inputs = {a.untyped_storage()._cdata for a in args if isinstance(a, Tensor)}
        for made in result if isinstance(result, tuple | list) else (result,):
            if isinstance(made, Tensor):
                self.largest = max(self.largest, made.numel())
                storage = made.untyped_storage()
                if storage._cdata not in inputs:
                    self.alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes() // 4)
        self.alive = {key: kept for key, kept in self.alive.items() if not kept[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self.alive.values()))
        return result


def measured(tokens: int, chunk: int, block: int = 4096) -> tuple[Sizes, TokenLogprobs]:
    hidden, weight, target = draw(0, tokens=tokens, dim=4, vocabulary=1000)
    with Sizes() as sizes:
        found = token_logprobs(hidden.requires_grad_(), weight, target, chunk=chunk, block=block)
        found.logp.sum().backward()
    return sizes, found


def test_no_tensor_is_larger_than_chunk_times_vocabulary():
    sizes, _ = measured(tokens=60, chunk=8)
    assert sizes.largest == 8 * 1000


def test_no_tensor_of_logits_is_larger_than_chunk_times_block():
    sizes, _ = measured(tokens=90, chunk=60, block=200)
    assert sizes.largest == 60 * 200
    small = 90 * (4 + 4 + 4 + 5)
    assert sizes.peak <= 2 * 60 * 200 + small + 60 * 8


def test_two_chunks_of_logits_at_most_exist_at_once_however_many_tokens():
    for tokens in (8, 60):
        sizes, _ = measured(tokens=tokens, chunk=8)
        small = tokens * (4 + 4 + 4 + 5)  # slope, gradient and some vectors
        assert 2 * 8 * 1000 <= sizes.peak <= 2 * 8 * 1000 + small + 8 * 8


def test_a_head_in_one_piece_would_be_noticed():
    # The measure itself: log_softmax over everything makes tokens x vocabulary.
    hidden, weight, _ = draw(0, tokens=60, dim=4, vocabulary=1000)
    with Sizes() as sizes:
        (hidden @ weight.T).log_softmax(dim=-1)
    assert sizes.largest == 60 * 1000
