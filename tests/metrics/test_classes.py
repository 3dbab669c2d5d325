import json
import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn import metrics
from torch import Tensor

from cnnctl.evaluation.measured import Measured, measure
from cnnctl.metrics import Predictions

NAMES = ("airplane", "bird", "cat", "deer", "dog", "frog", "ship")


def outputs(samples: int, classes: int) -> tuple[Tensor, Tensor]:
    """Probabilities that are right more often than not, and the classes."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(classes, (samples,), generator=generator)
    logits = torch.randn(samples, classes, generator=generator)
    logits[torch.arange(samples), targets] += 1.5
    return logits.softmax(dim=1), targets


def measured_of(probabilities: Tensor, targets: Tensor, names: Sequence[str] = NAMES) -> Measured:
    predicted = probabilities.argmax(dim=1)
    return measure(Predictions(0.5, predicted, targets, tuple(names), probabilities), kind="class")


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_every_score_is_that_of_scikit_learn(classes: int) -> None:
    probabilities, targets = outputs(300, classes)
    measured = measured_of(probabilities, targets, NAMES[:classes])
    truth, predicted = targets.numpy(), probabilities.argmax(dim=1).numpy()
    assert measured.found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert measured.found["confusion"] == metrics.confusion_matrix(truth, predicted).tolist()
    wanted = metrics.classification_report(
        truth, predicted, target_names=NAMES[:classes], output_dict=True, zero_division=0
    )
    averages = {"macro avg": measured.found["macro"], "weighted avg": measured.found["weighted"]}
    for name, scores in (
        averages.items() | {scores.name: scores for scores in measured.found["classes"]}.items()
    ):
        got = (scores.precision, scores.recall, scores.f1, scores.support)
        keys = ("precision", "recall", "f1-score", "support")
        assert got == pytest.approx(tuple(wanted[name][key] for key in keys)), name


def test_top5_is_that_of_scikit_learn() -> None:
    probabilities, targets = outputs(200, 7)
    wanted = metrics.top_k_accuracy_score(targets.numpy(), probabilities.numpy(), k=5)
    assert measured_of(probabilities, targets).found["top5"] == pytest.approx(wanted)


@pytest.mark.parametrize(("classes", "has_top5"), [(5, False), (6, True)])
def test_top5_needs_more_than_five_classes(classes: int, has_top5: bool) -> None:
    measured = measured_of(*outputs(20, classes), NAMES[:classes])
    assert (measured.found["top5"] is not None) == has_top5


def expected_calibration_error(probabilities: NDArray[Any], targets: NDArray[Any]) -> float:
    """Guo et al. 2017, equation 3, with 15 bins of the same width."""
    confidence, predicted = probabilities.max(axis=1), probabilities.argmax(axis=1)
    edges = np.linspace(0, 1, 16)
    gap = 0.0
    for low, high in pairwise(edges):
        inside = (confidence >= low) & ((confidence < high) | (high == 1))
        if inside.any():
            accuracy = (predicted == targets)[inside].mean()
            gap += inside.mean() * abs(accuracy - confidence[inside].mean())
    return gap


@pytest.mark.parametrize("classes", [2, 7])
def test_the_calibration_error_is_that_of_its_formula(classes: int) -> None:
    probabilities, targets = outputs(500, classes)
    wanted = expected_calibration_error(probabilities.numpy(), targets.numpy())
    measured = measured_of(probabilities, targets, NAMES[:classes])
    assert measured.found["calibration_error"] == pytest.approx(wanted, abs=1e-6)


def test_certainty_falls_in_the_last_of_the_15_bins() -> None:
    # one bin: confidence 0.975, accuracy 1/2; with a bin for 1 alone it would be (1 + 0.05) / 2
    probabilities = torch.tensor([[1.0, 0.0], [0.95, 0.05]])
    measured = measured_of(probabilities, torch.tensor([1, 0]), NAMES[:2])
    assert measured.found["calibration_error"] == pytest.approx(0.975 - 0.5, abs=1e-6)


def test_a_class_that_is_neither_there_nor_predicted_counts_for_no_average() -> None:
    probabilities = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measured = measured_of(probabilities, torch.tensor([0, 1]), NAMES[:3])
    assert measured.found["macro"].f1 == 1
    absent = measured.found["classes"][2]
    assert (absent.precision, absent.recall, absent.f1, absent.support) == (0, 0, 0, 0)


def test_json_is_plain_data_with_every_fact() -> None:
    measured = measured_of(*outputs(50, 7))
    data = measured.to_json()
    assert json.loads(json.dumps(data)) == data
    assert data["loss"] == 0.5
    assert data["samples"] == 50
    assert [entry["name"] for entry in data["classes"]] == list(NAMES)
    assert sum(map(sum, data["confusion"])) == 50
