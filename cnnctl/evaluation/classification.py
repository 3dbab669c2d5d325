"""How well a network tells classes apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from torch import Tensor

Average = Literal["macro", "weighted", "none"]

CALIBRATION_BINS = 15
"""As Guo et al. 2017 cut the confidences."""

_BELOW_ONE = 1 - 2**-24
"""The largest float32 below 1."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision, recall and F1, from 0 to 1, of one class or averaged over all."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    """Samples that are of this class."""


@dataclass(frozen=True, slots=True)
class Classification:
    """Shares are from 0 to 1."""

    samples: int
    loss: float
    accuracy: float
    top5: float | None
    """Share of samples with the right class among the five likeliest, where there are more."""
    calibration_error: float
    """Expected gap between confidence and accuracy (Guo et al. 2017)."""
    classes: list[Scores]
    macro: Scores
    """Every class counts the same; those that are neither there nor predicted count nothing."""
    weighted: Scores
    """Every class counts as often as it is there."""
    confusion: list[list[int]]
    """Samples of class `row` that were taken for class `column`."""

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return asdict(self)


def measure_classification(
    probabilities: Tensor, targets: Tensor, *, class_names: Sequence[str], loss: float
) -> Classification:
    """Hold probabilities (N, C) against the right classes (N,) int64."""
    from torchmetrics.functional.classification import multiclass_accuracy as accuracy

    probabilities, targets = probabilities.cpu(), targets.cpu()
    count, predicted = len(class_names), probabilities.argmax(dim=1)
    confusion = _confusion(predicted, targets, classes=count)
    return Classification(
        samples=len(targets),
        loss=loss,
        accuracy=float(accuracy(predicted, targets, count, average="micro")),
        top5=float(accuracy(probabilities, targets, count, "micro", top_k=5))
        if count > 5
        else None,
        calibration_error=_calibration_error(probabilities, targets),
        classes=_scores_of_classes(predicted, targets, class_names, confusion.sum(dim=1)),
        macro=_average(predicted, targets, classes=count, average="macro"),
        weighted=_average(predicted, targets, classes=count, average="weighted"),
        confusion=confusion.tolist(),
    )


def _confusion(predicted: Tensor, targets: Tensor, *, classes: int) -> Tensor:
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    return multiclass_confusion_matrix(predicted, targets, num_classes=classes)


def _calibration_error(probabilities: Tensor, targets: Tensor) -> float:
    from torchmetrics.functional.classification import multiclass_calibration_error

    return float(
        multiclass_calibration_error(
            # torchmetrics gives a confidence of exactly 1 a bin of its own beside the 15
            probabilities.clamp(max=_BELOW_ONE),
            targets,
            num_classes=probabilities.shape[1],
            n_bins=CALIBRATION_BINS,
        )
    )


def _scores_of_classes(
    predicted: Tensor, targets: Tensor, names: Sequence[str], support: Tensor
) -> list[Scores]:
    columns = [c.tolist() for c in _metrics(predicted, targets, classes=len(names), average="none")]
    return [Scores(*row) for row in zip(names, *columns, support.tolist(), strict=True)]


def _average(predicted: Tensor, targets: Tensor, *, classes: int, average: Average) -> Scores:
    metrics = _metrics(predicted, targets, classes=classes, average=average)
    precision, recall, f1 = map(float, metrics)
    return Scores(f"{average} average", precision, recall, f1, support=len(targets))


def _metrics(predicted: Tensor, targets: Tensor, *, classes: int, average: Average) -> list[Tensor]:
    """Precision, recall and F1: (C,) each without an average."""
    from torchmetrics.functional.classification import (
        multiclass_f1_score,
        multiclass_precision,
        multiclass_recall,
    )

    metrics = (multiclass_precision, multiclass_recall, multiclass_f1_score)
    return [metric(predicted, targets, classes, average=average) for metric in metrics]
