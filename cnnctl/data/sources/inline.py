"""A handful of samples written in the experiment itself, to work through by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator

from cnnctl.config.choice import refusal
from cnnctl.data.dataset import BatchSize, RegressionSet, Split
from cnnctl.data.normalization import Normalize
from cnnctl.data.samples import Description, Samples

Number = Annotated[float, Field(allow_inf_nan=False)]
Row = Annotated[list[Number], Field(min_length=1)]
ClassNumber = Annotated[int, Field(ge=0, lt=1000)]


class Inline(RegressionSet, kind="inline"):
    """Samples written here: rows of inputs, and for each a class or a row of values.

    Nothing is held out: the test split is the training split.
    """

    inputs: Annotated[list[Row], Field(min_length=1)]
    """A row of features for each sample."""
    targets: list[ClassNumber] | list[Row]
    """For each sample its class, counted from 0, or a row of values."""
    batch_size: BatchSize = "all"
    """Samples in a step; 1 is a single sample, `all` the full batch."""
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the samples that is kept for validation."""
    normalize: Literal["auto"] | Normalize | None = None
    """Mean and standard deviation of each feature; `auto` measures them."""
    normalize_targets: Literal["auto"] | Normalize | None = None
    """Mean and standard deviation of each target value; `auto` measures them."""

    @model_validator(mode="after")
    def _is_a_table(self) -> Self:
        if len(self.inputs) != len(self.targets):
            counts = f"{len(self.inputs)} rows of inputs, but {len(self.targets)} targets"
            raise refusal(counts, cure="write one target for each row")
        for name, rows in (("inputs", self.inputs), ("targets", self.targets)):
            widths = sorted({len(row) for row in rows if isinstance(row, list)})
            if len(widths) > 1:
                uneven = f"rows of {name} have {widths[0]} to {widths[-1]} numbers"
                raise refusal(uneven, cure="make all rows equally long")
        return self

    def whole(self) -> Description:
        first = self.targets[0]
        names = () if isinstance(first, list) else self._class_names()
        outputs = len(first) if isinstance(first, list) else len(names)
        return Description((len(self.inputs[0]),), names, outputs, len(self.inputs))

    def _class_names(self) -> tuple[str, ...]:
        highest = max(number for number in self.targets if isinstance(number, int))
        return tuple(str(number) for number in range(max(2, highest + 1)))

    def read_split(self, split: Split, *, root: Path, download: bool) -> Samples:
        are_values = isinstance(self.targets[0], list)
        kind = torch.float32 if are_values else torch.int64
        inputs = torch.tensor(self.inputs, dtype=torch.float32)
        return Samples(inputs, torch.tensor(self.targets, dtype=kind))
