"""The base of datasets with one target or several: classes, labels or values."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor

from cnnctl.config.choice import refusal
from cnnctl.config.wording import show
from cnnctl.data.dataset import RegressionSet, StoredSplit
from cnnctl.data.file_set import FileSet, SampleCounts, not_surveyed
from cnnctl.data.normalization import Normalize, normalization_of
from cnnctl.data.parts import Known, StoredPart, parts_of
from cnnctl.data.records import GivenSplit
from cnnctl.data.sample_targets import TargetSource, Task
from cnnctl.data.samples import DatasetInfo, Shape, Split
from cnnctl.data.splits import Positions
from cnnctl.data.tables.targets import (
    ClassColumn,
    LabelColumns,
    Strata,
    TargetColumns,
    ValueColumns,
)
from cnnctl.errors import below, config_fault
from cnnctl.target import Target

NAMED = 10
"""Classes to list in a note."""
MAIN = "target"
"""The name of a target without one."""


class Targeting(FileSet, RegressionSet):
    """A dataset in files, with one target or several."""

    task: Literal["auto"] | Task = "auto"
    """Predict a class, labels (any number at once) or values; `auto` follows from the target."""
    targets: Annotated[dict[str, TargetColumns], Field(max_length=100)] = Field(default={})
    """Several targets, by the name of the head that learns each, instead of `target`: class,
    labels or values."""

    @property
    @abstractmethod
    def one_target(self) -> str:
        """The column or array of the only target."""

    @property
    def one_width(self) -> int | None:
        """The number of values of the only target; None for one."""
        return None

    @model_validator(mode="after")
    def _names_tasks_once(self) -> Self:
        if self.targets and (self.task != "auto" or self.classes):
            given = "task" if self.task != "auto" else "classes"
            hint = "write it in the target, such as targets: {kind: {name: class, classes: [a, b]}}"
            raise refusal(f"{given} is for one target", hint=hint)
        return self

    @property
    def target_columns(self) -> dict[str, TargetColumns]:
        """The targets with their columns or arrays, by name; the first is the main one.

        Raises:
            FaultError: the data have not been looked at.
        """
        if self.targets:
            return {name: columns.named(name) for name, columns in self.targets.items()}
        if self.task == "auto":
            raise not_surveyed()
        return {MAIN: self.as_kind(self.task)}

    def as_kind(self, task: Task) -> TargetColumns:
        """The only target, as the kind that fits the task."""
        column = self.one_target
        if task == "regression":
            normalize, outputs = self.normalize_targets, self.one_width
            return ValueColumns(columns=[column], normalize=normalize, outputs=outputs)
        if task == "multilabel":
            return LabelColumns(column=column, classes=self.classes)
        return ClassColumn(column=column, classes=self.classes)

    @property
    def target_normalizations(self) -> Mapping[str, Literal["auto"] | Normalize]:
        return {
            name: columns.normalize
            for name, columns in self.target_columns.items()
            if isinstance(columns, ValueColumns) and columns.normalize is not None
        }

    def fitted(self, train: Split) -> Self:
        fitted = super().fitted(train)
        if not self.targets:
            return fitted
        measured = {
            name: columns.model_copy(update={"normalize": normalization_of([train.target(name)])})
            if isinstance(columns, ValueColumns) and columns.normalize == "auto"
            else columns
            for name, columns in self.targets.items()
        }
        return fitted.model_copy(update={"targets": measured})

    def describe_with(self, shape: Shape) -> DatasetInfo:
        """The description of samples of this shape."""
        first, *others = self.described_targets()
        counts = self.known_samples
        return DatasetInfo(
            shape,
            first.class_names,
            first.outputs,
            counts.train + counts.validation,
            first.name,
            tuple(others),
            has_test=counts.test > 0,
            is_multilabel=first.is_multilabel,
        )

    def with_task(self, source: TargetSource) -> Self:
        """The same with the task resolved, if there is only one target."""
        task: Literal["auto"] | Task = self.task
        if not self.targets and task == "auto":
            targets = source.targets(self.one_target)
            task = targets.found_task()
            if targets.remark:
                print(f"note: {targets.remark}", file=sys.stderr)
        if task == "regression":
            return self.model_copy(update={"task": task, "classes": []})
        return self.model_copy(update={"task": task, "normalize_targets": None})

    def check_complete(self, source: TargetSource) -> None:
        """Raise a FaultError where a sample lacks a target, or has one of another kind."""
        for name, columns in self.target_columns.items():
            with self._at(name):
                columns.check(source)

    def strata(self, source: TargetSource) -> Strata:
        """What a cut of these samples is stratified by: their main target."""
        name, columns = next(iter(self.target_columns.items()))
        with self._at(name):
            return columns.strata(source)

    def learned(self, train: TargetSource) -> Self:
        """The same with names of classes and labels, and numbers of values, of these samples."""
        found = dict[str, TargetColumns]()
        for name, columns in self.target_columns.items():
            with self._at(name):
                found[name] = columns.learned(train)
                _note_absent(found[name], train)
        if self.targets:
            return self.model_copy(update={"targets": found})
        names = found[MAIN].described(MAIN).class_names
        return self.model_copy(update={"classes": list(names)})

    def encoded_targets(self, source: TargetSource) -> dict[str, Tensor]:
        """The targets of these samples, by name, the main one first."""
        return {name: columns.encode(source) for name, columns in self.target_columns.items()}

    def cut(
        self,
        source: TargetSource,
        given: Sequence[GivenSplit | None],
        *,
        groups: Sequence[str] | None,
        times: Sequence[float] | None,
    ) -> dict[StoredSplit, StoredPart]:
        """The samples of each stored split; validation is a part of train.

        given, groups, times: what is known of all samples; see `Known`.
        """
        self.check_complete(source)
        strata = self.strata(source)
        known = Known(given, strata.classes, strata.labels, groups, times)
        return parts_of(known, test=self.test_share, held_out=self.held_out)

    def validation_of(self, train: StoredPart, targets: Tensor, *, seed: int) -> Positions:
        """The positions among the samples for training that will be held out for validation.

        targets: the main ones of these samples.
        """
        kind = self.described_targets()[0].kind
        return self.validation_part(
            train.known.given,
            seed=seed,
            classes=targets.numpy() if kind == "class" else None,
            labels=targets.numpy() > 0 if kind == "labels" else None,
            groups=train.known.groups,
        )

    def counted(self, parts: Mapping[StoredSplit, StoredPart], held: Positions) -> SampleCounts:
        """The number of samples in each split."""
        train, test = len(parts["train"].rows), len(parts["test"].rows)
        return SampleCounts(train=train - len(held), validation=len(held), test=test)

    def check_apart(self) -> None:
        """Raise a FaultError for a column or array that belongs to two targets."""
        taken: dict[str, str] = {}
        for head, columns in self.targets.items():
            for name in columns.named(head).all_columns:
                if name in taken:
                    message = f"{show(name)} belongs to {taken[name]} already"
                    raise config_fault(message, hint="remove one", path=("targets", head))
                taken[name] = head

    def _at(self, name: str) -> AbstractContextManager[None]:
        """Attribute faults within to this target."""
        return below("targets", name) if self.targets else nullcontext()

    def described_targets(self) -> list[Target]:
        """The targets, once their names are known; the first is the main one."""
        return [columns.described(name) for name, columns in self.target_columns.items()]


def _note_absent(columns: TargetColumns, train: TargetSource) -> None:
    """Print which classes have no training sample."""
    if not isinstance(columns, ClassColumn):
        return
    absent = sorted({*range(len(columns.classes))} - {*columns.encode(train).tolist()})
    if absent:
        names = ", ".join(show(columns.classes[number]) for number in absent[:NAMED])
        more = ", …" if len(absent) > NAMED else ""
        print(f"note: no training sample is of class {names}{more}", file=sys.stderr)
