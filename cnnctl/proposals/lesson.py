"""What is to be learned from a source, whatever its samples are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cnnctl.proposals.settings import imbalance_of


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is to be learned."""

    samples: int
    """Samples to train on, without validation."""
    task: str
    """`classification`, `multilabel` or `regression`."""
    outputs: int
    """Classes, labels or values; of the first head, where there are several."""
    counts: Mapping[str, int]
    """Samples of each class in the training split; empty for labels, values and several heads."""
    heads: Mapping[str, Lesson] = field(default_factory=dict)
    """What each head learns, by its name; empty for one target."""

    @property
    def imbalance(self) -> float:
        """How many times larger the largest class is than the smallest."""
        return imbalance_of(self.counts)

    @property
    def all_counts(self) -> list[Mapping[str, int]]:
        """Samples of each class, of each target that has classes."""
        return [each.counts for each in (self, *self.heads.values()) if each.counts]

    @property
    def has_values(self) -> bool:
        """Whether values are among what is to be predicted."""
        return "regression" in {each.task for each in (self, *self.heads.values())}

    @property
    def width(self) -> int | str:
        """The number of outputs, as the last layer says it."""
        return self.outputs if self.task == "regression" else "classes"
