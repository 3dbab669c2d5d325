"""Samples in files, whatever the files are."""

from __future__ import annotations

from abc import ABC, abstractmethod

from cnnctl.data.records import GivenSplit
from cnnctl.data.sample_targets import SampleTargets
from cnnctl.data.splits import Positions


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
