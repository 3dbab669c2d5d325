"""A target: what a network can learn from each sample of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

TargetKind = Literal["class", "labels", "values"]
"""One of several classes; any number of labels at once; or real numbers."""
NOUNS: dict[TargetKind, str] = {"class": "classes", "labels": "labels", "values": "values"}


@dataclass(frozen=True, slots=True)
class Target:
    """A target: what a network can learn from each sample of a dataset."""

    name: str
    """The name of the head that learns it."""
    class_names: tuple[str, ...]
    """The classes or labels, in the order of their numbers; none for values."""
    outputs: int
    """Classes, labels, or values."""
    is_multilabel: bool = False
    """Whether a sample can have several labels at once."""
    is_soft: bool = False
    """Whether the classes or labels of a sample are given as probabilities, (N, outputs)."""

    @property
    def kind(self) -> TargetKind:
        """The kind of target; losses and metrics declare which kinds they support."""
        if self.is_multilabel:
            return "labels"
        return "class" if self.class_names else "values"

    @property
    def columns(self) -> int:
        """The numbers that it takes beside other targets: one for a class, else its outputs."""
        return 1 if self.kind == "class" and not self.is_soft else self.outputs


def likeliest(classes: Tensor) -> Tensor:
    """The class of each sample, (N,) int64, from classes (N,) or their probabilities (N, C)."""
    return classes.argmax(dim=1) if classes.is_floating_point() else classes
