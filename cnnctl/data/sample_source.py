"""Samples in files, and their targets, whatever the files are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cnnctl.data.records import GivenSplit
from cnnctl.data.splits import Positions
from cnnctl.data.tables.inference import Task


class SampleTargets(ABC):
    """The targets of all samples of a source."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of their array or column, for messages."""

    @property
    @abstractmethod
    def width(self) -> int:
        """The number of labels or values of a sample."""

    @abstractmethod
    def found_task(self) -> Task:
        """What can be learned of such targets."""

    @abstractmethod
    def of(self, task: Task) -> SampleTargets:
        """The targets in the form of a task.

        Raises:
            FaultError: they have another form, or one is missing.
        """

    @abstractmethod
    def names(self, rows: Positions) -> list[str]:
        """The classes of these samples, in order.

        Raises:
            FaultError: there are fewer than two, or too many.
        """

    @abstractmethod
    def label_names(self, given: Sequence[str], rows: Positions) -> list[str]:
        """The names of labels: those that are given, or else found in these samples.

        Raises:
            FaultError: they do not fit the targets.
        """

    @abstractmethod
    def numbered(self) -> Positions:
        """The class of each sample as a number, whatever the order of classes, (N,)."""

    @abstractmethod
    def labels(self) -> NDArray[np.bool_]:
        """The labels of each sample, (N, L)."""

    @abstractmethod
    def tensor(self, task: Task, classes: Sequence[str], rows: Positions) -> Tensor:
        """The targets of these samples: classes (N,) int64; labels or values (N, K) float32.

        Raises:
            FaultError: a class is not among `classes`.
        """

    @property
    def remark(self) -> str:
        """What the user should know of a task that was found."""
        return ""


class SampleSource(ABC):
    """The samples of some files, of which inputs are read when they are asked for."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of samples."""

    @abstractmethod
    def targets(self, name: str) -> SampleTargets:
        """The targets of all samples in this array or column, one of those it was opened for.

        Raises:
            FaultError: they are damaged, or differ where a sample can have only one.
        """

    @abstractmethod
    def given(self) -> list[GivenSplit | None]:
        """The split that each sample is put in, if it is."""

    @abstractmethod
    def groups(self) -> list[str] | None:
        """The group of each sample; None if there are none."""

    @abstractmethod
    def times(self) -> list[float] | None:
        """The time of each sample; None if there are none."""

    @abstractmethod
    def identity(self, rows: Positions) -> str:
        """A hash of the files that these samples are from, whose inputs are checked."""
