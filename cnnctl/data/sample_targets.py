"""The targets of samples, as a column of cells or an array holds them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from torch import Tensor

from cnnctl.data.splits import Positions

Task = Literal["classification", "multilabel", "regression"]


class SampleTargets(ABC):
    """What one column or array holds for each sample: a class, labels or values.

    Conversions raise a FaultError where targets have another form, or one is missing.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the column or array, for messages."""

    @abstractmethod
    def take(self, rows: Positions) -> Self:
        """The targets of these samples, in this order."""

    @abstractmethod
    def found_task(self) -> Task:
        """The task that suits these targets."""

    @property
    def remark(self) -> str:
        """What to tell the user about the task that was found."""
        return ""

    @abstractmethod
    def check(self, task: Task) -> None:
        """Raise a FaultError where a sample has no target, or none for this task."""

    @abstractmethod
    def class_names(self) -> list[str]:
        """The classes of these samples, in order.

        Raises:
            FaultError: there are fewer than two, or too many.
        """

    @abstractmethod
    def class_codes(self) -> Positions:
        """The class of each sample as a number, whatever the order of classes, (N,)."""

    @abstractmethod
    def class_numbers(self, classes: Sequence[str]) -> Tensor:
        """The class of each sample as its position in `classes`, (N,) int64.

        Raises:
            FaultError: it is none of them.
        """

    @abstractmethod
    def label_names(self, given: Sequence[str], *, separator: str) -> list[str]:
        """The names of labels: those that are given, or else found in these samples.

        Raises:
            FaultError: they do not fit the targets.
        """

    @abstractmethod
    def labels(self, names: Sequence[str], *, separator: str) -> Tensor:
        """Which of these labels, or of those found if none are named, (N, L) float32.

        Raises:
            FaultError: a label is none of them.
        """

    @abstractmethod
    def bits(self) -> Tensor:
        """Whether each sample has the one label that this is about, (N,) float32."""

    @abstractmethod
    def values(self) -> Tensor:
        """The values of each sample, (N, T) float32."""


class TargetSource(Protocol):
    """Samples whose targets have names, such as the rows of a table."""

    def targets(self, name: str) -> SampleTargets:
        """The targets in this column or array.

        Raises:
            FaultError: there is none, or it is damaged.
        """


@dataclass(frozen=True, slots=True)
class NamedTargets:
    """Targets that have been read, by the names used to request them."""

    by_name: Mapping[str, SampleTargets]

    def targets(self, name: str) -> SampleTargets:
        return self.by_name[name]

    def take(self, rows: Positions) -> NamedTargets:
        """Those of these samples, in this order."""
        return NamedTargets({name: each.take(rows) for name, each in self.by_name.items()})
