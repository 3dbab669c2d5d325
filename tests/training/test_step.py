"""One step of the optimizer does what the formulas say."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnctl.training.run import Run
from cnnctl.training.step import make_step
from tests.training.conftest import run_of

MOONS = {
    "data": {"name": "moons"},
    "model": {"layers": [{"linear": 5}, "tanh", {"linear": "classes"}]},
    "optimizer": {"name": "sgd", "lr": 0.5},
}


def moons(**sections: Any) -> Run:
    return run_of({**MOONS, **sections})


def samples(count: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(count)
    inputs = torch.randn(count, 2, generator=draw)
    return inputs, torch.randint(2, (count,), generator=draw)


def in_batches(sizes: list[int]) -> list[tuple[Tensor, Tensor]]:
    inputs, targets = samples(sum(sizes))
    return list(zip(torch.split(inputs, sizes), torch.split(targets, sizes), strict=True))


def gradients(run: Run, sizes: list[int]) -> list[Tensor]:
    """What a step of these batches leaves in the weights."""
    make_step(run).differentiate(in_batches(sizes), None)
    return [p.grad.clone() for p in run.network.parameters() if p.grad is not None]


def plain_gradients(run: Run, count: int, *, reduction: str = "mean") -> list[Tensor]:
    """The same by plain torch, all samples at once."""
    network = deepcopy(run.network)
    inputs, targets = samples(count)
    loss = functional.cross_entropy(network(inputs), targets, reduction=reduction)
    return list(torch.autograd.grad(loss, list(network.parameters())))


@torch.no_grad()
def loss_of(run: Run, inputs: Tensor, targets: Tensor) -> float:
    return float(functional.cross_entropy(run.network(inputs), targets))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("sizes", [[6], [3, 3], [4, 4, 2], [1] * 5])
def test_accumulated_batches_give_the_gradient_of_the_one_large_batch(
    sizes: list[int], reduction: str
) -> None:
    train = {"accumulate": len(sizes)}
    run = moons(loss={"name": "cross_entropy", "reduction": reduction}, train=train)
    expected = plain_gradients(run, sum(sizes), reduction=reduction)
    torch.testing.assert_close(gradients(run, sizes), expected)


def test_a_step_of_accumulated_batches_counts_once() -> None:
    run = moons(train={"accumulate": 2})
    step = make_step(run)
    for sizes in ([4, 4], [4, 2]):
        step(in_batches(sizes))
    assert run.counters.step == 2
    assert run.counters.batch == 4
    assert run.tally.samples == 14


def test_the_tally_is_the_mean_over_all_samples_before_each_step() -> None:
    run = moons(train={"accumulate": 2})
    step, expected, right = make_step(run), 0.0, 0
    for sizes in ([4, 4], [3]):
        network = deepcopy(run.network).requires_grad_(False)
        for inputs, targets in in_batches(sizes):
            outputs = network(inputs)
            expected += float(functional.cross_entropy(outputs, targets, reduction="sum"))
            right += int((outputs.argmax(1) == targets).sum())
        step(in_batches(sizes))
    loss, (accuracy,) = run.tally.read()
    assert (loss, accuracy) == pytest.approx((expected / 11, right / 11))


@pytest.mark.parametrize("l1, l2", [(0.1, 0.0), (0.0, 0.3), (0.1, 0.3)])
def test_penalties_reach_the_weights_and_not_the_biases(l1: float, l2: float) -> None:
    run = moons(regularization={"l1": l1, "l2": l2}, train={"accumulate": 2})
    weights = [p.detach() * (p.ndim > 1) for p in run.network.parameters()]
    pairs = zip(plain_gradients(run, 6), weights, strict=True)
    expected = [gradient + l1 * weight.sign() + l2 * weight for gradient, weight in pairs]
    # once a step, however many batches it has
    torch.testing.assert_close(gradients(run, [4, 2]), expected)


def test_a_gradient_is_clipped_to_its_norm() -> None:
    run = moons(regularization={"clip_norm": 0.01}, train={"accumulate": 2})
    clipped, whole = gradients(run, [4, 2]), plain_gradients(run, 6)
    norm = float(torch.cat([g.flatten() for g in whole]).norm())
    assert norm > 0.01
    torch.testing.assert_close(clipped, [g * 0.01 / norm for g in whole], rtol=1e-4, atol=1e-7)


def test_a_gradient_is_clipped_by_value() -> None:
    run = moons(regularization={"clip_value": 0.02})
    clipped, whole = gradients(run, [6]), plain_gradients(run, 6)
    torch.testing.assert_close(clipped, [g.clamp(-0.02, 0.02) for g in whole])


def test_averaged_weights_follow_their_formula() -> None:
    run = moons(regularization={"ema": {"decay": 0.5, "warmup": True}})
    step = make_step(run)
    average = run.network.state_dict()["linear1.weight"].clone()
    for count in range(8):
        step(in_batches([4]))
        decay = min(0.5, (1 + count) / (10 + count))
        weight = run.network.state_dict()["linear1.weight"]
        average = decay * average + (1 - decay) * weight
        torch.testing.assert_close(run.evaluated.state_dict()["linear1.weight"], average)
    assert run.evaluated is not run.network


def test_mixed_targets_are_right_where_their_likeliest_class_is_predicted() -> None:
    tally = moons().tally
    outputs = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    mixed = torch.tensor([[0.7, 0.3], [0.6, 0.4], [0.2, 0.8]])
    assert tally.count_right(outputs, mixed) == [2]


def test_labels_are_right_where_all_of_them_are_predicted() -> None:
    data = {"name": "fake", "shape": [2], "classes": 3, "multilabel": True}
    tally = moons(data=data, loss={"name": "bce_with_logits", "threshold": 0.7}).tally
    outputs = torch.tensor([[2.0, -1, 2], [2, -1, 0.5], [2, -1, 2], [-1, -1, -1]])
    labels = torch.tensor([[1.0, 0, 1], [1, 0, 1], [0.6, 0.4, 0.8], [1, 0, 0]])
    # 0.5 is a probability of 0.62; the third is mixed
    assert tally.count_right(outputs, labels) == [2]


def test_mixed_targets_give_the_gradient_of_both() -> None:
    run = moons()
    inputs, targets = samples(6)
    shares = 0.3 * functional.one_hot(targets, 2) + 0.7 * functional.one_hot(1 - targets, 2)
    make_step(run).differentiate([(inputs, shares)], None)
    network = deepcopy(run.network)
    outputs = network(inputs)
    loss = 0.3 * functional.cross_entropy(outputs, targets)
    loss += 0.7 * functional.cross_entropy(outputs, 1 - targets)
    expected = torch.autograd.grad(loss, list(network.parameters()))
    torch.testing.assert_close([p.grad for p in run.network.parameters()], list(expected))


def test_lbfgs_evaluates_many_times_and_counts_each_sample_once() -> None:
    run = moons(optimizer="lbfgs")
    step, batches = make_step(run), in_batches([40])
    before = loss_of(run, *batches[0])
    step(batches)
    assert run.optimizer.state_dict()["state"][0]["func_evals"] > 1
    assert run.tally.samples == 40
    assert run.tally.read()[0] == pytest.approx(before)
    assert loss_of(run, *batches[0]) < 0.9 * before


def test_the_learning_rate_is_set_before_each_step() -> None:
    run = moons(scheduler={"name": "exponential", "gamma": 0.5}, train={"epochs": 3})
    step, rates = make_step(run), []
    for _ in range(25):
        step(in_batches([2]))
        rates.append(run.optimizer.param_groups[0]["lr"])
    # ten steps an epoch, see run_of
    assert rates == [0.5] * 10 + [0.25] * 10 + [0.125] * 5


def three_four_two() -> Run:
    """The 3-4-2 network, a sigmoid after each layer, and E = sum((y - t)^2) / 2."""
    run = run_of(
        {
            "data": {"name": "diabetes"},
            "model": {"layers": [{"linear": 4}, "sigmoid", {"linear": 2}, "sigmoid"]},
            # the mean of the squares of two outputs is half their sum
            "loss": {"name": "mse"},
            "optimizer": {"name": "sgd", "lr": 0.5},
        },
        input=(3,),
    )
    for name, parameter in run.network.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, generator=torch.Generator().manual_seed(1))
    return run


def test_a_step_of_the_3_4_2_network_is_that_of_the_formulas() -> None:
    run = three_four_two()
    assert sum(p.numel() for p in run.network.parameters()) == 26
    w1, b1, w2, b2 = (p.detach().double() for p in run.network.parameters())
    x, t = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.8, 0.2])

    a = 1 / (1 + torch.exp(-(w1 @ x.double() + b1)))
    y = 1 / (1 + torch.exp(-(w2 @ a + b2)))
    delta_out = (y - t) * y * (1 - y)
    delta_hidden = (w2.T @ delta_out) * a * (1 - a)
    expected = [
        w1 - 0.5 * torch.outer(delta_hidden, x.double()),
        b1 - 0.5 * delta_hidden,
        w2 - 0.5 * torch.outer(delta_out, a),
        b2 - 0.5 * delta_out,
    ]

    make_step(run)([(x[None], t[None])])
    torch.testing.assert_close([p.double() for p in run.network.parameters()], expected)
    error = float(((y - t) ** 2).sum() / 2)
    assert run.tally.read()[0] == pytest.approx(error, rel=1e-5)
