"""Sums of an epoch, whatever of them is still to be counted."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from cnnctl.training import tally as tallies
from cnnctl.training.tally import RunningSums
from tests.training.conftest import run_of


def empty() -> RunningSums:
    layers = [{"linear": "classes"}]
    return run_of({"data": {"name": "moons"}, "model": {"layers": layers}}).tally


def batch(right: int, size: int) -> tuple[Tensor, Tensor]:
    """Outputs and targets of two classes, so many of which are predicted."""
    return torch.tensor([[0.0, 1.0]]).repeat(size, 1), (torch.arange(size) < right).long()


def test_the_mean_loss_and_the_share_of_right_predictions() -> None:
    tally = empty()
    tally.add(torch.tensor(6.0), 2, *batch(1, 2))
    tally.add(torch.tensor(3.0), 4, *batch(2, 4))
    assert tally.samples == 6
    assert tally.read() == (1.5, [0.5])
    tally.clear()
    assert tally.samples == 0
    loss, shares = tally.read()
    assert all(map(math.isnan, (loss, *shares)))


def test_what_waits_is_dropped_with_the_rest() -> None:
    tally = empty()
    tally.add(torch.tensor(6.0), 2, *batch(1, 2))
    tally.clear()
    tally.add(torch.tensor(3.0), 4, *batch(2, 4))
    assert tally.sums.tolist() == [3, 4, 2, 4]


@pytest.mark.parametrize("scale", [4, torch.tensor(4.0)])
def test_mean_losses_are_multiplied(scale: Tensor | int) -> None:
    tally = empty()
    tally.add(torch.tensor(1.5), 4, *batch(1, 4), scale=scale)
    assert tally.read() == (1.5, [0.25])


@pytest.mark.parametrize("most", [0, 10, 50, 100])
def test_sums_do_not_depend_on_when_they_are_counted(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = empty(), empty()
    for count in range(1, 9):
        added = torch.rand(()), 3 * count, *batch(count, 3 * count)
        whole.add(*added)
        monkeypatch.setattr(tallies, "MOST_WAITING", most)
        parts.add(*added)
        monkeypatch.undo()
        if count == 5:
            parts.read()
    assert whole.waiting_samples == 3 * sum(range(1, 9))
    assert parts.waiting_samples <= most // 2
    assert torch.equal(parts.sums, whole.sums)
    assert parts.samples == 3 * sum(range(1, 9))


def test_outputs_are_not_kept_with_the_graph_that_they_come_from() -> None:
    tally = empty()
    outputs, targets = batch(1, 2)
    tally.add(torch.tensor(6.0), 2, outputs.requires_grad_() * 1, targets)
    assert tally.waiting is not None
    assert not tally.waiting[0].requires_grad
    assert tally.read() == (3.0, [0.5])
