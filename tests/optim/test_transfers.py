"""What is learned from layers, against computations of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cnnctl.errors import FaultError
from cnnctl.optim.transfers import AttentionTransfer, Hint, Transfer

DRAWN = np.random.default_rng(2)
STUDENT, TEACHER = DRAWN.normal(size=(5, 3, 2, 4)), DRAWN.normal(size=(5, 6, 4, 4))
HINT = Hint(student="a", teacher="b")
ATTENTION = AttentionTransfer(student="a", teacher="b")


def halved(output: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> torch.Tensor:
    """The mean of every two rows."""
    return torch.tensor((output[:, :, ::2] + output[:, :, 1::2]) / 2)


def test_a_hint_is_half_the_squared_distance_behind_a_regressor() -> None:
    regressor = HINT.regressor((3, 2, 4), (6, 4, 4)).double()
    assert isinstance(regressor, nn.Conv2d)
    weight, bias = regressor.weight.detach().numpy()[..., 0, 0], regressor.bias
    assert bias is not None
    guess = np.einsum("oc,nchw->nohw", weight, STUDENT) + bias.detach().numpy()[:, None, None]
    taught = HINT.taught(torch.tensor(TEACHER), student=(3, 2, 4))
    assert torch.allclose(taught, halved(TEACHER))
    expected = ((guess - halved(TEACHER).numpy()) ** 2).mean(axis=(1, 2, 3)).sum() / 2
    found = HINT.loss(regressor(torch.tensor(STUDENT)), taught)
    assert found.item() == pytest.approx(expected)
    found.backward()  # type: ignore[no-untyped-call]
    assert regressor.weight.grad is not None


@pytest.mark.parametrize("shape", [(3,), (3, 7), (3, 5, 5)])
def test_a_regressor_changes_only_the_channels(shape: tuple[int, ...]) -> None:
    regressor = HINT.regressor(shape, (8, *shape[1:]))
    assert regressor(torch.zeros(2, *shape)).shape == (2, 8, *shape[1:])


def test_attention_is_where_the_squares_are() -> None:
    maps = []
    for output in (STUDENT, TEACHER):
        activity = (output**2).sum(axis=1)
        if activity.shape[1] == 4:
            activity = (activity[:, ::2] + activity[:, 1::2]) / 2
        flat = activity.reshape(5, -1)
        maps.append(flat / np.sqrt((flat**2).sum(axis=1, keepdims=True)))
    expected = ((maps[0] - maps[1]) ** 2).sum() / 2
    taught = ATTENTION.taught(torch.tensor(TEACHER), student=(3, 2, 4))
    assert float(ATTENTION.loss(torch.tensor(STUDENT), taught)) == pytest.approx(expected)


def test_the_same_attention_costs_nothing() -> None:
    taught = ATTENTION.taught(torch.tensor(STUDENT), student=(3, 2, 4))
    assert float(ATTENTION.loss(torch.tensor(3 * STUDENT), taught)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("transfer", "student", "teacher"),
    [(ATTENTION, (5,), (5,)), (ATTENTION, (3, 4, 4), (8,)), (HINT, (3, 4, 4), (8,))],
)
def test_layers_without_common_places_are_refused(
    transfer: Transfer, student: tuple[int, ...], teacher: tuple[int, ...]
) -> None:
    with pytest.raises(FaultError) as raised:
        transfer.check(student, teacher)
    assert "layer" in raised.value.faults[0].hint or "convolutions" in raised.value.faults[0].hint
