"""The base of data sets with one target or several: classes, labels or values."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cnnctl.config.choice import refusal
from cnnctl.data.dataset import RegressionSet
from cnnctl.data.file_set import FileSet, not_surveyed
from cnnctl.data.normalization import Normalize, normalization_of
from cnnctl.data.samples import DatasetInfo, Shape, Split
from cnnctl.data.tables.inference import Task
from cnnctl.data.tables.targets import ClassColumn, LabelColumns, TargetColumns, ValueColumns
from cnnctl.target import Target

MAIN = "target"
"""What a target is called that has no name."""


class Targeting(FileSet, RegressionSet):
    """A data set in files, with one target or several."""

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
        """The only target, as what it is in this task."""
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

    def described_targets(self) -> list[Target]:
        """The targets, once their names are known; the first is the main one."""
        return [columns.described(name) for name, columns in self.target_columns.items()]
