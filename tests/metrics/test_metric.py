"""The table of metrics: what is in it, and that what can be watched is what it says."""

from __future__ import annotations

from functools import partial
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from torch import Tensor
from torchmetrics.functional import classification

from cnnctl.metrics import METRICS, Counted, Monitor, Number, Watched, confusion_matrix, watched
from cnnctl.metrics.classes import precision_recall_f1
from cnnctl.metrics.metric import Metric, Predictions
from cnnctl.metrics.watched import Accuracy, BalancedAccuracy, Kappa, MacroF1

KINDS = sorted(METRICS)
CLASSES = 5
labels = st.lists(st.tuples(*[st.integers(0, CLASSES - 1)] * 2), min_size=1, max_size=40)
"""Right and predicted classes, of which some may be absent on either side."""


def sides(pairs: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    targets, predicted = torch.tensor(pairs).T
    return targets, predicted


def test_what_monitor_takes_are_the_metrics_that_can_be_watched() -> None:
    watchable = [kind for kind, metric in METRICS.items() if issubclass(metric, Watched)]
    assert sorted(get_args(Monitor)) == sorted(["auto", *watchable])
    assert all(watched(kind).kind == kind for kind in watchable)


@pytest.mark.parametrize("kind", KINDS)
def test_a_metric_says_what_it_is_and_what_it_measures(kind: str) -> None:
    metric = METRICS[kind]
    is_measured = kind != "agreement"  # which training alone knows, of whatever it learns
    assert (metric.kind, bool(metric.__doc__), bool(metric.measures)) == (kind, True, is_measured)
    assert not issubclass(metric, Number) or metric.label


def test_two_metrics_cannot_have_one_name() -> None:
    with pytest.raises(TypeError, match="two metrics named loss"):
        type("Other", (Metric,), {}, kind="loss")


@given(labels)
def test_a_confusion_matrix_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    targets, predicted = sides(pairs)
    found = confusion_matrix(predicted, targets, classes=CLASSES)
    wanted = metrics.confusion_matrix(targets, predicted, labels=range(CLASSES))
    assert found.tolist() == wanted.tolist()


@given(labels)
def test_scores_of_counts_are_those_of_torchmetrics_to_the_bit(
    pairs: list[tuple[int, int]],
) -> None:
    targets, predicted = sides(pairs)
    found = precision_recall_f1(confusion_matrix(predicted, targets, classes=CLASSES))
    functions = (
        classification.multiclass_precision,
        classification.multiclass_recall,
        classification.multiclass_f1_score,
    )
    for ours, function in zip(found, functions, strict=True):
        assert torch.equal(ours, function(predicted, targets, CLASSES, average="none"))


def of_scikit_learn(kind: str, targets: Tensor, predicted: Tensor) -> float:
    functions = {
        "macro_f1": partial(metrics.f1_score, average="macro"),
        "balanced_accuracy": metrics.balanced_accuracy_score,
        "kappa": partial(metrics.cohen_kappa_score, replace_undefined_by=0.0),
    }
    return float(functions[kind](targets.numpy(), predicted.numpy()))


COUNTED = [
    kind
    for kind, metric in METRICS.items()
    if issubclass(metric, Counted) and "class" in metric.measures
]


@pytest.mark.filterwarnings("ignore:A single label was found")
@pytest.mark.filterwarnings("ignore:.*only one label in common")
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("kind", COUNTED)
@given(labels)
def test_a_number_of_counts_is_that_of_scikit_learn(
    kind: str, pairs: list[tuple[int, int]]
) -> None:
    targets, predicted = sides(pairs)
    metric = watched(kind)
    assert isinstance(metric, Counted)
    found = metric.compute(confusion_matrix(predicted, targets, classes=CLASSES))
    assert found == pytest.approx(of_scikit_learn(kind, targets, predicted), abs=1e-7)


@given(labels)
def test_accuracy_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    targets, predicted = sides(pairs)
    found = Accuracy().of(Predictions(0.0, predicted, targets))
    assert found == pytest.approx(metrics.accuracy_score(targets, predicted), abs=1e-7)


def test_kappa_is_that_of_cohens_own_example() -> None:
    # Cohen 1960, 200 patients and two judges: .70 agree, .41 would by chance
    table = torch.tensor([[88, 14, 18], [10, 40, 10], [2, 6, 12]])
    assert Kappa().compute(table) == pytest.approx(0.492, abs=5e-4)


def test_kappa_without_a_second_class_is_zero() -> None:
    assert Kappa().compute(torch.tensor([[7, 0], [0, 0]])) == 0


def test_balanced_accuracy_is_not_fooled_by_the_larger_class() -> None:
    # Brodersen et al. 2010: the mean of the accuracies on each class, here 90 of 90 and 0 of 10
    assert BalancedAccuracy().compute(torch.tensor([[90, 0], [10, 0]])) == 0.5


def test_macro_f1_is_the_mean_over_the_classes_that_are_seen() -> None:
    # F1 of 2 * 3 / (3 + 4) and 2 * 4 / (5 + 4); the third class is neither there nor predicted
    found = MacroF1().compute(torch.tensor([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
    assert found == pytest.approx((6 / 7 + 8 / 9) / 2)
