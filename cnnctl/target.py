"""A target: what a network can learn from each sample of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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

    @property
    def kind(self) -> TargetKind:
        """The kind of target; losses and metrics declare which kinds they support."""
        if self.is_multilabel:
            return "labels"
        return "class" if self.class_names else "values"
