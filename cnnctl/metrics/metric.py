"""The base of metrics, and their table.

A metric is a subclass with `kind="accuracy"`; declaring it enters it in the table. It has no
options and no state, and imports torch only to compute.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from cnnctl.target import TargetKind

if TYPE_CHECKING:
    from torch import Tensor

METRICS: dict[str, type[Metric]] = {}
"""Every metric by its kind, in display order."""


@dataclass(frozen=True)
class Predictions:
    """Predictions for one target of a split, with the true values; on the CPU."""

    loss: float
    predicted: Tensor
    """The most probable class of each sample (N,) int64, which labels it has (N, L) bool, or its
    values (N, T) float64."""
    targets: Tensor
    """The true classes or values, in the same form."""
    class_names: tuple[str, ...] = ()
    probabilities: Tensor | None = None
    """Probabilities of the classes or labels (N, C); None for values."""
    thresholds: tuple[float, ...] = ()
    """The probability of each label above which it is predicted."""

    @cached_property
    def confusion(self) -> Tensor:
        """Number of samples of class `row` that were predicted as class `column`: (C, C) int64; for
        labels, one such matrix of absent and present for each, (L, 2, 2)."""
        if self.predicted.ndim == 2:
            return label_confusion_matrices(self.predicted, self.targets)
        return confusion_matrix(self.predicted, self.targets, classes=len(self.class_names))


def confusion_matrix(predicted: Tensor, targets: Tensor, *, classes: int) -> Tensor:
    """Counts of samples by class `row` and prediction `column`: (N,) int64 in, (C, C) int64 out.

    Unlike means, counts can be added over batches.
    """
    cells = targets * classes + predicted
    return cells.bincount(minlength=classes**2).reshape(classes, classes)


def label_confusion_matrices(predicted: Tensor, targets: Tensor) -> Tensor:
    """Samples without and with each label (rows) for which it was and was not predicted.

    (N, L) bool in, (L, 2, 2) int64 out.
    """
    import torch

    cells = [(targets == row) & (predicted == column) for row in (0, 1) for column in (0, 1)]
    return torch.stack([cell.sum(dim=0) for cell in cells], dim=1).view(-1, 2, 2)


def tallies(confusion: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How often each class of (C, C) counts, or label of (L, 2, 2), was right, there, predicted."""
    if confusion.ndim == 3:
        return confusion[:, 1, 1], confusion[:, 1].sum(dim=1), confusion[:, :, 1].sum(dim=1)
    return confusion.diag(), confusion.sum(dim=1), confusion.sum(dim=0)


class Metric(ABC):
    """A number or a table that measures the quality of a network."""

    kind: ClassVar[str] = ""
    """Its name in a file, in metrics.jsonl and in JSON."""
    measures: ClassVar[tuple[TargetKind, ...]] = ("class",)
    """The kinds of targets it applies to."""

    def __init_subclass__(cls, *, kind: str = "") -> None:
        """Enter the class in the table."""
        super().__init_subclass__()
        cls.kind = kind
        if kind in METRICS:
            raise TypeError(f"there are two metrics named {kind}")
        if kind:
            METRICS[kind] = cls

    @abstractmethod
    def of(self, predictions: Predictions) -> Any:
        """Compute the metric; None if it is undefined."""


class Number(Metric):
    """A metric that is one number."""

    label: ClassVar[str]
    """Its name in text."""
    more_is_better: ClassVar[bool] = True
    is_always_followed: ClassVar[bool] = False
    """Whether every run reports it, on the training split as well as on the validation split."""

    def show(self, value: float) -> str:
        """A fraction, as a percentage."""
        return f"{value:.2%}"


class Scored(Number):
    """A number that needs the probability of every class, of which one is right."""

    def of(self, predictions: Predictions) -> float | None:
        assert predictions.probabilities is not None  # which classes have
        return self.compute(predictions.probabilities, predictions.targets)

    @abstractmethod
    def compute(self, probabilities: Tensor, targets: Tensor) -> float | None:
        """Compute from probabilities (N, C) and true classes (N,) int64."""


class Valued(Number):
    """A number computed from values; errors are in original units and have equal weight."""

    measures = ("values",)
    more_is_better = False

    def of(self, predictions: Predictions) -> float | None:
        return self.compute(predictions.predicted, predictions.targets)

    @abstractmethod
    def compute(self, predicted: Tensor, targets: Tensor) -> float | None:
        """Compute from predictions (N, T) and true values (N, T), float64."""

    def show(self, value: float) -> str:
        return f"{value:,.5g}"
