"""The base of datasets in files, whose samples are counted and cut before they are read."""

from __future__ import annotations

import sys
from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator
from torch import Tensor

from cnnctl.config.bounds import PositiveInt
from cnnctl.config.choice import refusal
from cnnctl.data.dataset import StoredSplit
from cnnctl.data.parts import Known, StoredPart
from cnnctl.data.rows import Rows
from cnnctl.data.sample_source import SampleSource
from cnnctl.data.sample_targets import NamedTargets
from cnnctl.data.samples import DatasetInfo, Samples
from cnnctl.data.splits import Positions
from cnnctl.data.targeting import Targeting
from cnnctl.errors import ConfigPath

AUTO = "auto"


class SampleSet(Targeting):
    """A dataset in files, of samples in any order, each with its targets."""

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
        """This dataset with the form of its samples filled in, from those for training."""

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
            for head, columns in self.target_columns.items()
            for name in columns.all_columns
        ]

    def whole(self) -> DatasetInfo:
        return self.describe_with(tuple(self.shape))

    def surveyed(self, root: Path, *, seed: int) -> Self:
        if self.samples is not None:
            return self
        self.check_apart()
        source = self.source()
        targets = self.read_targets(source)
        known = self.with_task(targets)
        parts = known.parts(source, targets)
        train = parts["train"]
        own = targets.take(train.rows)
        known = known.learned(own)
        main = next(iter(known.encoded_targets(own).values()))
        if known.task == "regression":
            known = known.model_copy(update={"outputs": main.shape[1]})
        held = known.validation_of(train, main, seed=seed)
        known = known.measured(source, np.delete(train.rows, held))
        return known.model_copy(update={"samples": known.counted(parts, held)})

    def read_split(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        source = self.source()
        targets = self.read_targets(source)
        if split == "test" and self._is_another(source):
            note = f"{self.path} is not the data of the run: all {len(source):,} samples are tested"
            print(f"note: {note}", file=sys.stderr)
            part = StoredPart(np.arange(len(source)), Known([None] * len(source)))
            self.check_complete(targets)
        else:
            part = self.parts(source, targets)[split]
        encoded = self.encoded_targets(targets.take(part.rows))
        return Samples(
            self.read_inputs(source, part.rows),
            encoded.pop(next(iter(encoded))),
            encoded,
            validation=part.validation,
            groups=part.known.groups,
            identity=source.identity(part.rows),
        )

    def read_targets(self, source: SampleSource) -> NamedTargets:
        """The targets of all samples, by the names of their arrays or columns.

        Raises:
            FaultError: they are damaged.
        """
        return NamedTargets({name: source.targets(name) for _, name in self.named_targets})

    def parts(self, source: SampleSource, targets: NamedTargets) -> dict[StoredSplit, StoredPart]:
        """The samples of each stored split; validation is a part of train."""
        given, groups, times = source.given(), source.groups(), source.times()
        return self.cut(targets, given, groups=groups, times=times)

    def _is_another(self, source: SampleSource) -> bool:
        """Whether these are not the samples of the run, and not in splits themselves."""
        if not self._is_located or self.content == "auto" or any(source.given()):
            return False
        return self.content.get("test") != source.identity(np.arange(len(source)))
