"""Accumulated batches are the one large batch, and the loss of an epoch is its true mean."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn, tensor
from torch.nn import functional

from cnnctl.training.run import Run
from cnnctl.training.state import capture_last, restore
from cnnctl.training.step import make_step
from tests.conftest import Cli, rows_of
from tests.training.conftest import assert_same_state, run_of

Batch = tuple[Tensor, Tensor]
FEATURES, CLASSES = 4, 3
WEIGHT = tensor([0.3, 0.0, 2.5], dtype=torch.float64)
POSITIVE = tensor([2.0, 1.0, 0.5], dtype=torch.float64)
DATA = {"name": "inline", "inputs": [[0.0] * FEATURES] * CLASSES, "targets": [0, 1, 2]}


class Focal(nn.Module):
    """The formula of Lin et al. 2017 with gamma 2, whose mean divides as that of torch's losses."""

    reduction = "mean"

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        is_mixed, shares = targets.is_floating_point(), outputs.softmax(1)
        wanted = targets if is_mixed else functional.one_hot(targets, CLASSES)
        total = -(wanted * self.weight * (1 - shares) ** 2 * shares.log()).sum()
        size = len(targets) if is_mixed else (wanted * self.weight).sum()
        return total / size if self.reduction == "mean" else total


LOSSES: dict[str, tuple[dict[str, Any], nn.Module]] = {
    "plain": ({"name": "cross_entropy"}, nn.CrossEntropyLoss()),
    "weighted": (
        {"name": "cross_entropy", "weight": WEIGHT.tolist()},
        nn.CrossEntropyLoss(WEIGHT),
    ),
    "smoothed": (
        {"name": "cross_entropy", "weight": WEIGHT.tolist(), "label_smoothing": 0.2},
        nn.CrossEntropyLoss(WEIGHT, label_smoothing=0.2),
    ),
    "focal": ({"name": "focal", "weight": WEIGHT.tolist()}, Focal(WEIGHT)),
    "nll": ({"name": "nll", "weight": WEIGHT.tolist()}, nn.NLLLoss(WEIGHT)),
    "bce_with_logits": (
        {"name": "bce_with_logits", "pos_weight": POSITIVE.tolist()},
        nn.BCEWithLogitsLoss(pos_weight=POSITIVE),
    ),
    "mse": ({"name": "mse"}, nn.MSELoss()),
    "huber": ({"name": "huber", "delta": 0.5}, nn.HuberLoss(delta=0.5)),
}
"""Our losses, and torch's own in float64."""
SUMMED = """\
data: {name: digits, batch_size: 128}
model: {layers: [flatten, linear: classes]}
loss: {name: cross_entropy, reduction: sum}
optimizer: {name: sgd, lr: 1.0e-9}
train: {epochs: 1, device: cpu}
"""
OF_CLASSES = ("plain", "weighted", "smoothed", "focal", "nll")

losses = pytest.mark.parametrize("name", LOSSES)
reductions = st.sampled_from(["mean", "sum"])
some_sizes = st.lists(st.integers(1, 5), min_size=1, max_size=4)


def run_for(name: str, reduction: str, *, accumulate: int) -> Run:
    ends: list[Any] = ["log_softmax"] if name == "nll" else []
    return run_of(
        {
            "data": DATA,
            "model": {"layers": [{"linear": 5}, "tanh", {"linear": CLASSES}, *ends]},
            "loss": {**LOSSES[name][0], "reduction": reduction},
            "train": {"accumulate": accumulate},
        },
        input=(FEATURES,),
        classes=CLASSES,
    )


def cut(inputs: Tensor, targets: Tensor, sizes: list[int]) -> list[Batch]:
    return list(zip(torch.split(inputs, sizes), torch.split(targets, sizes), strict=True))


def drawn(sizes: list[int], *, mixed: bool, seed: int) -> list[Batch]:
    """Batches of these sizes, of classes or of probabilities; the first class is always there."""
    draw = torch.Generator().manual_seed(seed)
    inputs = torch.randn(sum(sizes), FEATURES, generator=draw)
    targets = torch.randint(CLASSES, (sum(sizes),), generator=draw)
    targets[0] = 0  # the sum of the weights of a step must not be zero
    if mixed:
        targets = torch.rand(sum(sizes), CLASSES, generator=draw).softmax(1)
    return cut(inputs, targets, sizes)


def theirs(network: nn.Module, name: str, batches: list[Batch], *, reduction: str) -> Tensor:
    """torch's loss of all these samples at once, in float64."""
    inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    if name not in OF_CLASSES and not targets.is_floating_point():
        targets = functional.one_hot(targets, CLASSES)
    targets = targets.double() if targets.is_floating_point() or name not in OF_CLASSES else targets
    module: Any = deepcopy(LOSSES[name][1])
    module.reduction = reduction
    loss: Tensor = module(network(inputs.double()), targets)
    return loss


def assert_gradients(run: Run, expected: tuple[Tensor, ...]) -> None:
    found = [parameter.grad for parameter in run.network.parameters()]
    for one, other in zip(found, expected, strict=True):
        assert one is not None
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-6)


@losses
@settings(max_examples=20, deadline=None)
@given(sizes=some_sizes, mixed=st.booleans(), seed=st.integers(0, 99), reduction=reductions)
def test_accumulated_batches_are_the_one_large_batch(
    name: str, sizes: list[int], mixed: bool, seed: int, reduction: str
) -> None:
    mixed = mixed and name != "nll"  # which takes no probabilities
    run = run_for(name, reduction, accumulate=len(sizes))
    batches = drawn(sizes, mixed=mixed, seed=seed)
    network = deepcopy(run.network).double()
    loss = theirs(network, name, batches, reduction=reduction)
    total = make_step(run).differentiate(batches, run.tally)
    assert float(total) == pytest.approx(float(loss.detach()), rel=1e-4)
    assert_gradients(run, torch.autograd.grad(loss, list(network.parameters())))


@losses
@settings(max_examples=20, deadline=None)
@given(
    sizes=some_sizes,
    accumulate=st.integers(1, 2),
    mixed=st.booleans(),
    seed=st.integers(0, 99),
    reduction=reductions,
)
def test_the_loss_of_an_epoch_is_the_mean_over_all_its_samples(
    name: str, sizes: list[int], accumulate: int, mixed: bool, seed: int, reduction: str
) -> None:
    mixed = mixed and name != "nll"
    run = run_for(name, reduction, accumulate=accumulate)
    step, batches = make_step(run), drawn(sizes, mixed=mixed, seed=seed)
    if name in ("weighted", "smoothed", "focal", "nll") and not mixed:
        for _, targets in batches:  # torch's mean over no weight at all is not a number
            targets[0] = 2
    # the weights stay as they are, so one pass over all samples gives the same losses
    expected = theirs(deepcopy(run.network).double(), name, batches, reduction="mean")
    for first in range(0, len(batches), accumulate):
        step.differentiate(batches[first : first + accumulate], run.tally)
    assert run.tally.read()[0] == pytest.approx(float(expected.detach()), rel=1e-4)
    assert run.tally.samples == sum(sizes)


HEADS: dict[str, Any] = {
    "data": "digits",
    "model": {
        "layers": [
            {"auxiliary": {"layers": [{"linear": 10}], "head": "digit", "weight": 0.3}},
            {"linear": 5},
            "tanh",
        ],
        "heads": {
            "parity": {
                "layers": [{"linear": 2}],
                "weight": 0.5,
                "loss": {"name": "cross_entropy", "weight": [0.2, 3.0]},
            },
            "digit": {"layers": [{"linear": 10}]},
        },
    },
    "loss": {"name": "cross_entropy", "weight": [0.1 * number for number in range(1, 11)]},
}


def run_with_heads(accumulate: int) -> Run:
    train = {"accumulate": accumulate}
    return run_of({**HEADS, "train": train}, input=(FEATURES,), classes=10)


def digits(sizes: list[int], seed: int = 0) -> list[Batch]:
    draw = torch.Generator().manual_seed(seed)
    wanted = torch.randint(10, (sum(sizes),), generator=draw)
    inputs = torch.randn(sum(sizes), FEATURES, generator=draw)
    targets = torch.stack([wanted % 2, wanted], dim=1).float()
    return cut(inputs, targets, sizes)


def loss_with_heads(network: nn.Module, batches: list[Batch]) -> Tensor:
    inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    outputs, wanted = network(inputs.double()), targets.long()[:, 1]
    digit = tensor(HEADS["loss"]["weight"], dtype=torch.float64)
    parity = tensor([0.2, 3.0], dtype=torch.float64)
    return (
        0.5 * functional.cross_entropy(outputs[:, :2], wanted % 2, parity)
        + functional.cross_entropy(outputs[:, 2:12], wanted, digit)
        + 0.3 * functional.cross_entropy(outputs[:, 12:], wanted, digit)
    )


@settings(max_examples=25, deadline=None)
@given(sizes=some_sizes, accumulates=st.booleans(), seed=st.integers(0, 99))
def test_each_head_is_divided_by_its_own_weights(
    sizes: list[int], accumulates: bool, seed: int
) -> None:
    run = run_with_heads(len(sizes) if accumulates else 1)
    run.begin_epoch()
    step, batches = make_step(run), digits(sizes, seed)
    network = deepcopy(run.network).double()
    loss = loss_with_heads(network, batches)
    for group in [batches] if accumulates else [[batch] for batch in batches]:
        total = step.differentiate(group, run.tally)
    assert run.tally.read()[0] == pytest.approx(float(loss.detach()), rel=1e-4)
    if accumulates:
        assert float(total) == pytest.approx(float(loss.detach()), rel=1e-4)
        assert_gradients(run, torch.autograd.grad(loss, list(network.parameters())))


def test_weights_by_accumulation_are_those_of_the_large_batch_after_many_steps() -> None:
    small, large = (run_for("weighted", "mean", accumulate=count) for count in (4, 1))
    for seed in range(30):
        batches = drawn([8] * 4, mixed=False, seed=seed)
        make_step(small)(batches)
        make_step(large)([(torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches]))])
    for one, other in zip(small.network.parameters(), large.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_the_sums_of_an_epoch_under_way_are_resumed() -> None:
    unbroken, killed, resumed = (run_with_heads(2) for _ in range(3))
    for run in (unbroken, killed):
        run.begin_epoch()
        make_step(run)(digits([3, 5], 1))
    restore(resumed, capture_last(killed))
    for run in (unbroken, resumed):
        run.begin_epoch()
        make_step(run)(digits([4, 1], 2))
    assert_same_state(capture_last(unbroken), capture_last(resumed))
    assert unbroken.tally.read() == resumed.tally.read()


def test_a_sum_is_shown_as_the_mean_it_comes_from(quick_cli: Cli, tmp_path: Path) -> None:
    config = tmp_path / "sum.yaml"
    config.write_text(SUMMED, encoding="utf-8")
    assert quick_cli("train", config).returncode == 0
    (row,) = rows_of(tmp_path / "runs" / "sum")
    # the weights hardly move: about ln 10 in both splits, where a sum would be 128 times as much
    assert row["train_loss"] == pytest.approx(row["val_loss"], rel=0.1)
    found = json.loads(quick_cli("eval", tmp_path / "runs" / "sum", "--json").stdout)
    assert found["loss"] == pytest.approx(row["train_loss"], rel=0.1)
    assert math.log(10) < found["loss"] < 2 * math.log(10)
