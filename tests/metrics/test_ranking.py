"""Average precision and the best thresholds, compared with scikit-learn and with a search."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from torch import Tensor

from cnnctl.metrics.ranking import average_precisions, best_thresholds, between

shares = st.floats(0, 1, width=32)
samples = st.lists(st.tuples(shares, st.booleans()), min_size=1, max_size=30)


def column(samples: list[tuple[float, bool]]) -> tuple[Tensor, Tensor]:
    """Probabilities and whether the label is there, (N, 1) each."""
    probabilities, targets = zip(*samples, strict=True)
    return torch.tensor(probabilities)[:, None], torch.tensor(targets)[:, None]


@settings(deadline=None, max_examples=50)
@given(samples.filter(lambda samples: any(there for _, there in samples)))
def test_average_precision_is_that_of_scikit_learn(samples: list[Any]) -> None:
    probabilities, targets = column(samples)
    (found,) = average_precisions(probabilities, targets).tolist()
    assert found == pytest.approx(metrics.average_precision_score(targets, probabilities))


def test_a_label_that_no_sample_has_has_no_average_precision() -> None:
    (found,) = average_precisions(torch.tensor([[0.5], [0.7]]), torch.zeros(2, 1).bool())
    assert found.isnan()


def f1_above(threshold: float, probabilities: Tensor, targets: Tensor) -> float:
    predicted = probabilities > torch.tensor(threshold)
    right, sizes = int((predicted & targets).sum()), int(predicted.sum() + targets.sum())
    return 2 * right / sizes if sizes else 0.0


@settings(deadline=None, max_examples=50)
@given(samples)
def test_no_threshold_gives_a_higher_f1(samples: list[Any]) -> None:
    probabilities, targets = column(samples)
    (found,) = best_thresholds(probabilities, targets, default=0.5)
    assert 0 <= found <= 1
    reached = f1_above(found, probabilities, targets)
    others = [0.0, 0.5, *probabilities.flatten().tolist()]
    assert reached == max(f1_above(other, probabilities, targets) for other in others)


@pytest.mark.parametrize(
    ("probabilities", "there", "threshold"),
    [
        # the middle of the gap between what has the label and what has not
        ([0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1], 0.25),
        # 0.5, where it is as good
        ([0.1, 0.4, 0.8, 0.9], [0, 0, 1, 1], 0.5),
        # a label that no sample has
        ([0.1, 0.9], [0, 0], 0.5),
        # all samples have it: whatever lets them all in
        ([0.7, 0.9], [1, 1], 0.5),
        ([0.2, 0.9], [1, 1], 0.1),
        # none is told from the others
        ([0.0, 0.0], [0, 1], 0.5),
    ],
)
def test_the_threshold_is_in_the_middle_of_the_best_gap(
    probabilities: list[float], there: list[int], threshold: float
) -> None:
    values, targets = torch.tensor(probabilities)[:, None], torch.tensor(there)[:, None] > 0
    assert best_thresholds(values, targets, default=0.5) == [pytest.approx(threshold)]


def test_each_label_has_a_threshold_of_its_own() -> None:
    values = torch.tensor([[0.1, 0.6], [0.2, 0.7], [0.4, 0.9]])
    targets = torch.tensor([[False, False], [True, False], [True, True]])
    assert best_thresholds(values, targets, default=0.5) == [0.15, 0.8]


@settings(deadline=None, max_examples=50)
@given(shares, shares)
def test_a_threshold_lies_between_two_numbers_as_float32_has_them(one: float, other: float) -> None:
    low, high = sorted([one, other])
    if low < high:
        found = torch.tensor(between(low, high, 0.5))
        assert torch.tensor(low) <= found < torch.tensor(high)
