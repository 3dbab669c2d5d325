"""The losses to compare with are those of the textbooks' formulas."""

from __future__ import annotations

from math import log
from statistics import fmean, median, pvariance
from typing import Any

import pytest

from cnnctl.diagnosis.facts import Yardstick
from cnnctl.diagnosis.yardstick import yardstick_of
from tests.diagnosis.trainings import setup_of

COUNT = 40
VALUES = [float(number * number % 23) for number in range(COUNT)]
FEW = [int(number % 8 == 0) for number in range(COUNT)]
"""Classes of which one eighth are 1."""


def measured(targets: list[Any], loss: Any, *, outputs: Any = "classes", **data: Any) -> Yardstick:
    inputs = [[float(number)] for number in range(COUNT)]
    own = {"name": "inline", "inputs": inputs, "targets": targets, "validation": 0, **data}
    setup = setup_of(
        {
            "data": own,
            "model": {"layers": [{"linear": outputs}]},
            "loss": loss,
            "optimizer": "sgd",
        }
    )
    return yardstick_of(setup.loaded.tasks, setup.batches.train)


def entropy(*shares: float) -> float:
    return -sum(share * log(share) for share in shares)


def test_cross_entropy_is_compared_with_the_entropy_of_the_labels() -> None:
    found = measured(FEW, "cross_entropy")
    assert found.constant == pytest.approx(entropy(1 / 8, 7 / 8), rel=1e-4)
    assert found.level(found.constant) == 1
    assert found.level(0.0) == 0


def test_label_smoothing_raises_both_ends() -> None:
    found = measured(FEW, {"name": "cross_entropy", "label_smoothing": 0.2})
    share = 0.8 / 8 + 0.1
    assert found.constant == pytest.approx(entropy(share, 1 - share), rel=1e-4)
    assert found.least == pytest.approx(entropy(0.9, 0.1), rel=1e-3)


def test_squares_are_compared_with_the_variance_and_distances_with_those_from_the_median() -> None:
    values = [[value] for value in VALUES]
    squares = measured(values, "mse", outputs=1, normalize_targets=None)
    assert squares.constant == pytest.approx(pvariance(VALUES), rel=1e-5)
    distances = measured(values, "mae", outputs=1, normalize_targets=None)
    expected = fmean(abs(value - median(VALUES)) for value in VALUES)
    assert distances.constant == pytest.approx(expected, rel=0.02)


def test_labels_are_compared_with_the_mean_of_their_entropies() -> None:
    labels = [[number % 2, FEW[number]] for number in range(COUNT)]
    found = measured(labels, "bce_with_logits", classes=["odd", "few"])
    both = entropy(1 / 2, 1 / 2) + entropy(1 / 8, 7 / 8)
    assert found.constant == pytest.approx(both / 2, rel=1e-4)


def test_a_single_sample_has_no_span() -> None:
    assert Yardstick(0.0).level(0.3) == 0
