"""The base of data sets in files, whose samples are counted and cut before they are read."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from cnnctl.config.bounds import PositiveInt
from cnnctl.config.wording import show
from cnnctl.data.dataset import RegressionSet, StoredSplit
from cnnctl.data.file_set import FileSet, SampleCounts, not_surveyed
from cnnctl.data.parts import Known, StoredPart, parts_of
from cnnctl.data.records import GivenSplit
from cnnctl.data.rows import Rows
from cnnctl.data.samples import DatasetInfo, Samples
from cnnctl.data.splits import Positions

SampleTask = Literal["classification", "multilabel", "regression"]
NAMED = 10
"""Classes that a note names."""


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
    def found_task(self) -> SampleTask:
        """What can be learned of such targets."""

    @abstractmethod
    def of(self, task: SampleTask) -> SampleTargets:
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
    def tensor(self, task: SampleTask, classes: Sequence[str], rows: Positions) -> Tensor:
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
    def targets(self) -> SampleTargets:
        """The targets of all samples."""

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


class SampleSet(FileSet, RegressionSet):
    """A data set in files, of samples with a target each, in any order."""

    task: Literal["auto"] | SampleTask = "auto"
    """Predict a class, any number of labels (rows of 0 and 1) or values; `auto` follows from the
    targets."""
    shape: Annotated[list[PositiveInt], Field(max_length=3)] = Field(default=[])
    """Shape of a sample: features, [channels, length] or [channels, height, width] (default: found
    in the data)."""
    outputs: PositiveInt | None = None
    """Number of values to predict (default: counted)."""

    @abstractmethod
    def source(self) -> SampleSource:
        """The samples in the files.

        Raises:
            FaultError: the files are missing or damaged, or do not fit the options.
        """

    @abstractmethod
    def measured(self, source: SampleSource, train: Positions) -> Self:
        """This data set with the form of its samples filled in, from those for training."""

    @abstractmethod
    def read_inputs(self, source: SampleSource, rows: Positions) -> Tensor | Rows:
        """The inputs of these samples, in the form that was filled in."""

    def whole(self) -> DatasetInfo:
        counts = self.known_samples
        if self.task == "auto":
            raise not_surveyed()
        count, names = counts.train + counts.validation, tuple(self.classes)
        return DatasetInfo(
            tuple(self.shape),
            names,
            len(names) or self.outputs or 1,
            count,
            has_test=counts.test > 0,
            is_multilabel=self.task == "multilabel",
        )

    def surveyed(self, root: Path, *, seed: int) -> Self:
        if self.samples is not None:
            return self
        source = self.source()
        known, targets = self._with_task(source.targets())
        parts = known._parts(source, targets)
        train, test = parts["train"], parts["test"]
        known = known._with_classes(targets, train.rows)
        held = known._held(targets, train, seed=seed)
        counts = SampleCounts(
            train=len(train.rows) - len(held), validation=len(held), test=len(test.rows)
        )
        known = known.measured(source, np.delete(train.rows, held))
        return known.model_copy(update={"samples": counts})

    def read_split(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        assert self.task != "auto"  # as `whole` has checked
        source = self.source()
        targets = source.targets().of(self.task)
        if split == "test" and self._is_another(source):
            note = f"{self.path} is not the data of the run: all {len(source):,} samples are tested"
            print(f"note: {note}", file=sys.stderr)
            part = StoredPart(np.arange(len(source)), Known([None] * len(source)))
        else:
            part = self._parts(source, targets)[split]
        return Samples(
            self.read_inputs(source, part.rows),
            targets.tensor(self.task, self.classes, part.rows),
            validation=part.validation,
            groups=part.known.groups,
            identity=source.identity(part.rows),
        )

    def _is_another(self, source: SampleSource) -> bool:
        """Whether these are not the samples of the run, and not in splits themselves."""
        if not self._is_located or self.content == "auto" or any(source.given()):
            return False
        return self.content.get("test") != source.identity(np.arange(len(source)))

    def _with_task(self, targets: SampleTargets) -> tuple[Self, SampleTargets]:
        """With the task, and the targets in its form."""
        task = targets.found_task() if self.task == "auto" else self.task
        if self.task == "auto" and targets.remark:
            print(f"note: {targets.remark}", file=sys.stderr)
        found = targets.of(task)
        if task == "regression":
            update: dict[str, object] = {"classes": [], "outputs": found.width}
        else:
            update = {"normalize_targets": None}
        return self.model_copy(update={"task": task, **update}), found

    def _with_classes(self, targets: SampleTargets, train: Positions) -> Self:
        """With the names of classes or labels, after a check that all targets have one."""
        classes = self.classes
        if self.task == "classification":
            classes = classes or targets.names(train)
            every = np.arange(len(targets.numbered()))
            _note_absent(classes, targets.tensor(self.task, classes, every)[train])
        elif self.task == "multilabel":
            classes = targets.label_names(classes, train)
        return self.model_copy(update={"classes": classes})

    def _parts(self, source: SampleSource, targets: SampleTargets) -> dict[StoredSplit, StoredPart]:
        known = Known(
            source.given(),
            classes=targets.numbered() if self.task == "classification" else None,
            labels=targets.labels() if self.task == "multilabel" else None,
            groups=source.groups(),
            times=source.times(),
        )
        return parts_of(known, test=self.test_share, held_out=self.held_out)

    def _held(self, targets: SampleTargets, train: StoredPart, *, seed: int) -> Positions:
        """Positions among the training samples that validation will get."""
        assert self.task != "auto"
        numbers = targets.tensor(self.task, self.classes, train.rows).numpy()
        return self.validation_part(
            train.known.given,
            seed=seed,
            classes=numbers if self.task == "classification" else None,
            labels=numbers > 0 if self.task == "multilabel" else None,
            groups=train.known.groups,
        )


def _note_absent(classes: Sequence[str], train: Tensor) -> None:
    """Say which classes no training sample is of."""
    absent = sorted(set(range(len(classes))) - set(train.tolist()))
    if absent:
        names = ", ".join(show(classes[number]) for number in absent[:NAMED])
        more = ", …" if len(absent) > NAMED else ""
        print(f"note: no training sample is of class {names}{more}", file=sys.stderr)
