"""The thresholds above which labels are predicted, as far as they are left to be measured."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from cnnctl.experiment import Task, Thresholds
from cnnctl.metrics.ranking import best_thresholds
from cnnctl.optim.losses.binary import DEFAULT_THRESHOLD


def measured_thresholds(tasks: Sequence[Task], outputs: Tensor, targets: Tensor) -> Thresholds:
    """Those of the highest F1 of each label, on these samples; outputs and targets of all tasks."""
    found = {}
    for task in tasks:
        if task.measures_thresholds:
            own, wanted = task.of(outputs, targets)
            shares, there = task.probabilities(own).cpu(), (wanted > 0.5).cpu()
            found[task.name] = best_thresholds(shares, there, default=DEFAULT_THRESHOLD)
    return found
