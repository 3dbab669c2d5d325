import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cnnctl.evaluation.measured import measure
from cnnctl.metrics import Predictions


def values(samples: int, targets: int, *, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    right = torch.randn(samples, targets, generator=generator)
    guess = right + 0.3 * torch.randn(samples, targets, generator=generator)
    return guess * scale, right * scale


def measured_of(guess: Tensor, right: Tensor, *, loss: float) -> Any:
    """What was measured, by its names."""
    found = measure(Predictions(loss, guess.double(), right.double()), kind="values")
    return SimpleNamespace(**found.to_json())


# the smallest scale has a variance far below 1e-4, the largest a mean far above the spread
@pytest.mark.parametrize(("scale", "offset"), [(1, 0), (1e-3, 0), (1, 1e3)])
@pytest.mark.parametrize("targets", [1, 3])
def test_errors_are_those_of_their_formulas(targets: int, scale: float, offset: float) -> None:
    guess, right = values(40, targets, scale=scale)
    guess, right = guess + offset, right + offset
    measured = measured_of(guess, right, loss=0.1)
    y, p = right.double().numpy(), guess.double().numpy()
    assert measured.mae == pytest.approx(np.abs(y - p).mean())
    assert measured.rmse == pytest.approx(np.sqrt(((y - p) ** 2).mean()))
    explained = 1 - ((y - p) ** 2).sum(axis=0) / ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    assert measured.r2 == pytest.approx(explained.mean())


def test_a_perfect_guess_explains_everything() -> None:
    right = torch.tensor([[1.0], [2.0], [4.0]])
    measured = measured_of(right, right, loss=0.0)
    assert (measured.mae, measured.rmse, measured.r2) == (0, 0, 1)


def test_a_single_sample_has_no_variance_to_explain() -> None:
    measured = measured_of(torch.tensor([[3.0]]), torch.tensor([[2.0]]), loss=1.0)
    assert (measured.mae, measured.rmse, measured.r2) == (1, 1, None)


def test_json_is_plain_data_with_every_fact() -> None:
    data = vars(measured_of(*values(20, 2), loss=0.1))
    assert json.loads(json.dumps(data)) == data
    assert set(data) == {"samples", "loss", "mae", "rmse", "r2"}
