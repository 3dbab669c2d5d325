"""Metrics of class probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnctl.metrics.metric import Scored

if TYPE_CHECKING:
    from torch import Tensor

CALIBRATION_BINS = 15
"""Number of bins, as in Guo et al. 2017."""

_BELOW_ONE = 1 - 2**-24
"""The largest float32 below 1."""


class Top5(Scored, kind="top5"):
    """Fraction of samples whose class is among the five most probable, of more than five."""

    label = "top-5 accuracy"

    def compute(self, probabilities: Tensor, targets: Tensor) -> float | None:
        from torchmetrics.functional.classification import multiclass_accuracy

        classes = probabilities.shape[1]
        if classes <= 5:
            return None
        return float(multiclass_accuracy(probabilities, targets, classes, "micro", top_k=5))


class CalibrationError(Scored, kind="calibration_error"):
    """The expected gap between confidence and accuracy (Guo et al. 2017)."""

    label = "calibration error"
    more_is_better = False

    def compute(self, probabilities: Tensor, targets: Tensor) -> float:
        from torchmetrics.functional.classification import multiclass_calibration_error

        return float(
            multiclass_calibration_error(
                # torchmetrics puts a confidence of exactly 1 in a 16th bin
                probabilities.clamp(max=_BELOW_ONE),
                targets,
                num_classes=probabilities.shape[1],
                n_bins=CALIBRATION_BINS,
            )
        )
