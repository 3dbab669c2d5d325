"""The base of data sets in files, whose samples are counted and cut before they are read."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from cnnctl.config.bounds import PositiveInt
from cnnctl.config.choice import refusal
from cnnctl.config.wording import show
from cnnctl.data.dataset import StoredSplit
from cnnctl.data.file_set import SampleCounts
from cnnctl.data.parts import Known, StoredPart, parts_of
from cnnctl.data.rows import Rows
from cnnctl.data.sample_source import SampleSource, SampleTargets
from cnnctl.data.samples import DatasetInfo, Samples
from cnnctl.data.splits import Positions
from cnnctl.data.tables.targets import (
    ClassColumn,
    LabelColumns,
    Strata,
    TargetColumns,
    ValueColumns,
)
from cnnctl.data.targeting import MAIN, Targeting
from cnnctl.errors import ConfigPath, below, config_fault

AUTO = "auto"
NAMED = 10
"""Classes that a note names."""


@dataclass(frozen=True, slots=True)
class Aim:
    """A target of all samples: its kind, and what the arrays or columns that it has hold."""

    kind: TargetColumns
    parts: Sequence[SampleTargets]

    @classmethod
    def at(cls, source: SampleSource, kind: TargetColumns) -> Aim:
        """Read the targets of a kind.

        Raises:
            FaultError: they have another form, or one is missing.
        """
        if isinstance(kind, LabelColumns) and kind.columns:
            message = "columns of 0 and 1 are for tables with a row for each sample"
            hint = "name one array of them, or one column of separated labels: column: NAME"
            raise config_fault(message, hint=hint, path=("columns",))
        return cls(kind, [source.targets(name).of(kind.task) for name in kind.all_columns])

    @property
    def strata(self) -> Strata:
        """What a cut of all samples is stratified by."""
        return Strata(
            classes=self.parts[0].numbered() if self.kind.task == "classification" else None,
            labels=self.parts[0].labels() if self.kind.task == "multilabel" else None,
        )

    def learned(self, train: Positions) -> TargetColumns:
        """The kind with its names, from the samples for training, or the number of its values."""
        first = self.parts[0]
        if isinstance(self.kind, ClassColumn):
            classes = self.kind.classes or first.names(train)
            every = first.tensor("classification", classes, np.arange(len(first.numbered())))
            _note_absent(classes, every[torch.from_numpy(train)])
            return self.kind.model_copy(update={"classes": classes})
        if isinstance(self.kind, LabelColumns):
            names = first.label_names(self.kind.classes, train)
            return self.kind.model_copy(update={"classes": names})
        width = sum(part.width for part in self.parts)
        return self.kind.model_copy(update={"outputs": width})

    def encoded(self, rows: Positions) -> Tensor:
        """The targets of these samples; see `TargetColumns.encode`."""
        names = self.kind.described("").class_names
        found = [part.tensor(self.kind.task, names, rows) for part in self.parts]
        return found[0] if len(found) == 1 else torch.cat(found, dim=1)


class SampleSet(Targeting):
    """A data set in files, of samples in any order, each with its targets."""

    shape: Annotated[list[PositiveInt], Field(max_length=3)] = Field(default=[])
    """Shape of a sample: features, [channels, length] or [channels, height, width] (default: found
    in the data)."""
    outputs: PositiveInt | None = None
    """Number of values to predict (default: counted)."""

    @model_validator(mode="after")
    def _has_targets_once(self) -> Self:
        if self.targets and (self.one_target != AUTO or self.outputs):
            given = "target" if self.one_target != AUTO else "outputs"
            hint = "write it in targets: {HEAD: {name: values, columns: [NAME]}}"
            raise refusal(f"{given} and targets exclude each other", hint=hint)
        return self

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

    @property
    def one_width(self) -> int | None:
        return self.outputs

    @property
    def named_targets(self) -> list[tuple[ConfigPath, str]]:
        """The arrays or columns of the targets, each with the option that names it."""
        if not self.targets:
            return [(("target",), self.one_target)]
        return [
            (("targets", head), name)
            for head, kind in self.target_columns.items()
            for name in kind.all_columns
        ]

    def whole(self) -> DatasetInfo:
        return self.describe_with(tuple(self.shape))

    def surveyed(self, root: Path, *, seed: int) -> Self:
        if self.samples is not None:
            return self
        source = self.source()
        known = self._with_task(source)
        aims = known._aims(source)
        parts = known._parts(source, aims)
        train, test = parts["train"], parts["test"]
        known = known._learned(aims, train.rows)
        held = known._held(source, train, seed=seed)
        counts = SampleCounts(
            train=len(train.rows) - len(held), validation=len(held), test=len(test.rows)
        )
        known = known.measured(source, np.delete(train.rows, held))
        return known.model_copy(update={"samples": counts})

    def read_split(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        source = self.source()
        aims = self._aims(source)
        if split == "test" and self._is_another(source):
            note = f"{self.path} is not the data of the run: all {len(source):,} samples are tested"
            print(f"note: {note}", file=sys.stderr)
            part = StoredPart(np.arange(len(source)), Known([None] * len(source)))
        else:
            part = self._parts(source, aims)[split]
        targets = {name: aim.encoded(part.rows) for name, aim in aims.items()}
        return Samples(
            self.read_inputs(source, part.rows),
            targets.pop(next(iter(targets))),
            targets,
            validation=part.validation,
            groups=part.known.groups,
            identity=source.identity(part.rows),
        )

    def _is_another(self, source: SampleSource) -> bool:
        """Whether these are not the samples of the run, and not in splits themselves."""
        if not self._is_located or self.content == "auto" or any(source.given()):
            return False
        return self.content.get("test") != source.identity(np.arange(len(source)))

    def _with_task(self, source: SampleSource) -> Self:
        """With the task of an only target."""
        task = self.task
        if not self.targets and task == "auto":
            targets = source.targets(self.one_target)
            task = targets.found_task()
            if targets.remark:
                print(f"note: {targets.remark}", file=sys.stderr)
        if task == "regression":
            return self.model_copy(update={"task": task, "classes": []})
        return self.model_copy(update={"task": task, "normalize_targets": None})

    def _aims(self, source: SampleSource) -> dict[str, Aim]:
        """The targets of all samples, by name, the main one first."""
        found = dict[str, Aim]()
        for name, kind in self.target_columns.items():
            with self._at(name):
                found[name] = Aim.at(source, kind)
        return found

    def _learned(self, aims: Mapping[str, Aim], train: Positions) -> Self:
        """With the names of classes and labels, and the numbers of values."""
        learned = dict[str, TargetColumns]()
        for name, aim in aims.items():
            with self._at(name):
                learned[name] = aim.learned(train)
        if self.targets:
            return self.model_copy(update={"targets": learned})
        [only] = learned.values()
        if isinstance(only, ValueColumns):
            return self.model_copy(update={"outputs": only.outputs})
        return self.model_copy(update={"classes": list(only.described(MAIN).class_names)})

    def _at(self, name: str) -> AbstractContextManager[None]:
        """Faults within are those of this target."""
        return below("targets", name) if self.targets else nullcontext()

    def _parts(
        self, source: SampleSource, aims: Mapping[str, Aim]
    ) -> dict[StoredSplit, StoredPart]:
        strata = next(iter(aims.values())).strata
        known = Known(
            source.given(),
            classes=strata.classes,
            labels=strata.labels,
            groups=source.groups(),
            times=source.times(),
        )
        return parts_of(known, test=self.test_share, held_out=self.held_out)

    def _held(self, source: SampleSource, train: StoredPart, *, seed: int) -> Positions:
        """Positions among the training samples that validation will get."""
        kind = next(iter(self.target_columns.values()))
        numbers = Aim.at(source, kind).encoded(train.rows).numpy()
        return self.validation_part(
            train.known.given,
            seed=seed,
            classes=numbers if kind.task == "classification" else None,
            labels=numbers > 0 if kind.task == "multilabel" else None,
            groups=train.known.groups,
        )


def _note_absent(classes: Sequence[str], train: Tensor) -> None:
    """Say which classes no training sample is of."""
    absent = sorted(set(range(len(classes))) - set(train.tolist()))
    if absent:
        names = ", ".join(show(classes[number]) for number in absent[:NAMED])
        more = ", …" if len(absent) > NAMED else ""
        print(f"note: no training sample is of class {names}{more}", file=sys.stderr)
