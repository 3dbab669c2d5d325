"""What is to be learned from a source, whatever its samples are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cnnctl.proposals.settings import imbalance_of


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is to be learned."""

    samples: int
    """Samples to train on, without validation."""
    task: str
    """`classification`, `multilabel` or `regression`."""
    outputs: int
    """Classes, labels or values."""
    counts: Mapping[str, int]
    """Samples of each class in the training split; empty for labels and values."""

    @property
    def imbalance(self) -> float:
        """How many times larger the largest class is than the smallest."""
        return imbalance_of(self.counts)

    @property
    def width(self) -> int | str:
        """The number of outputs, as the last layer says it."""
        return self.outputs if self.task == "regression" else "classes"
