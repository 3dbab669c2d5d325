"""Metrics of labels, compared with scikit-learn's."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from cnnctl.evaluation.measured import measure
from cnnctl.metrics import Predictions

NAMES = ("cat", "dog", "fish")
rows = st.lists(
    st.tuples(*[st.booleans()] * 3, *[st.sampled_from([0.0, 0.125, 0.5, 0.75, 1.0])] * 3),
    min_size=1,
    max_size=30,
)
"""Of samples, which of three labels they have, and a probability of each."""


def predictions(rows: list[tuple[Any, ...]]) -> Predictions:
    """What is said of these samples, each label with a threshold of its own."""
    table, thresholds = torch.tensor(rows, dtype=torch.float32), (0.5, 0.1, 0.75)
    targets, shares = table[:, :3] > 0, table[:, 3:]
    return Predictions(0.5, shares > torch.tensor(thresholds), targets, NAMES, shares, thresholds)


def in_numpy(given: Predictions) -> tuple[Any, Any]:
    return given.targets.numpy(), given.predicted.numpy()


@settings(deadline=None, max_examples=50)
@given(rows)
def test_a_confusion_matrix_of_each_label_is_that_of_scikit_learn(table: list[Any]) -> None:
    given = predictions(table)
    wanted = metrics.multilabel_confusion_matrix(*in_numpy(given))
    assert given.confusion.tolist() == wanted.tolist()


@settings(deadline=None, max_examples=50)
@given(rows)
def test_the_numbers_are_those_of_scikit_learn(table: list[Any]) -> None:
    given = predictions(table)
    found, (targets, predicted) = measure(given, kind="labels").found, in_numpy(given)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(targets, predicted))
    assert found["hamming_loss"] == pytest.approx(metrics.hamming_loss(targets, predicted))
    f1 = partial(metrics.f1_score, targets, predicted)
    assert found["micro_f1"] == pytest.approx(f1(average="micro", zero_division=0))
    # a label that is neither there nor predicted has no F1, and is left out
    macro = np.nan_to_num(f1(average="macro", zero_division=np.nan))
    assert found["macro_f1"] == pytest.approx(macro)


@settings(deadline=None, max_examples=50)
@given(rows)
def test_the_mean_average_precision_is_that_of_scikit_learn(table: list[Any]) -> None:
    given = predictions(table)
    assert given.probabilities is not None
    targets, shares = given.targets.numpy(), given.probabilities.numpy()
    there = targets.any(axis=0)
    wanted = (
        metrics.average_precision_score(targets[:, there], shares[:, there], average="macro")
        if there.any()
        else 0.0
    )
    assert measure(given, kind="labels").found["average_precision"] == pytest.approx(wanted)


@settings(deadline=None, max_examples=50)
@given(rows)
def test_the_scores_of_each_label_are_those_of_scikit_learn(table: list[Any]) -> None:
    given = predictions(table)
    found, (targets, predicted) = measure(given, kind="labels").to_json(), in_numpy(given)
    report = partial(metrics.precision_recall_fscore_support, targets, predicted, zero_division=0)
    for number, row in enumerate(found["labels"]):
        assert (row["name"], row["threshold"]) == (NAMES[number], given.thresholds[number])
        scores = [row[name] for name in ("precision", "recall", "f1", "support")]
        assert scores == pytest.approx([column[number] for column in report()])
        if not targets[:, number].any():
            assert row["average_precision"] is None
    for average in ("micro", "weighted"):
        scores = [found[average][name] for name in ("precision", "recall", "f1")]
        assert scores == pytest.approx(report(average=average)[:3])
        assert found[average]["support"] == targets.sum()


def test_labels_are_measured_by_no_metric_of_classes_alone() -> None:
    found = measure(predictions([(True, False, True, 0.5, 0.5, 1.0)]), kind="labels").found
    assert not {"kappa", "balanced_accuracy", "confusion", "top5", "classes"} & found.keys()
