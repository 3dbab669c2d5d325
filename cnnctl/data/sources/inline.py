"""A handful of samples written in the experiment itself, to work through by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from cnnctl.config.choice import refusal
from cnnctl.data.dataset import BatchSize, RegressionSet, Split
from cnnctl.data.normalization import Normalize
from cnnctl.data.samples import Description, Samples, Target

Number = Annotated[float, Field(allow_inf_nan=False)]
Row = Annotated[list[Number], Field(min_length=1)]
ClassNumber = Annotated[int, Field(ge=0, lt=1000)]
Targets = list[ClassNumber] | list[Row]
"""For each sample its class, counted from 0, or a row of values."""


class Inline(RegressionSet, kind="inline"):
    """Samples written here: rows of inputs, and for each a class or a row of values.

    Nothing is held out: the test split is the training split.
    """

    inputs: Annotated[list[Row], Field(min_length=1)]
    """A row of features for each sample."""
    targets: Targets | Annotated[dict[str, Targets], Field(min_length=1)]
    """For each sample its class, counted from 0, or a row of values; for heads, several by name."""
    batch_size: BatchSize = "all"
    """Samples in a step; 1 is a single sample, `all` the full batch."""
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the samples that is kept for validation."""
    normalize: Literal["auto"] | Normalize | None = None
    """Mean and standard deviation of each feature; `auto` measures them."""
    normalize_targets: Literal["auto"] | Normalize | None = None
    """Mean and standard deviation of each target value, of the first target where there are
    several; `auto` measures them."""

    @model_validator(mode="after")
    def _is_a_table(self) -> Self:
        _check_widths(self.inputs, "inputs")
        for name, rows in self._named().items():
            what = f"targets of {name}" if isinstance(self.targets, dict) else "targets"
            if len(self.inputs) != len(rows):
                counts = f"{len(self.inputs)} rows of inputs, but {len(rows)} {what}"
                raise refusal(counts, cure="write one target for each row")
            _check_widths(rows, what)
        return self

    def _named(self) -> dict[str, Targets]:
        return self.targets if isinstance(self.targets, dict) else {"target": self.targets}

    def whole(self) -> Description:
        first, *others = (_describe(name, rows) for name, rows in self._named().items())
        shape = (len(self.inputs[0]),)
        return Description(
            shape, first.class_names, first.outputs, len(self.inputs), first.name, tuple(others)
        )

    def read_split(self, split: Split, *, root: Path, download: bool) -> Samples:
        inputs = torch.tensor(self.inputs, dtype=torch.float32)
        tensors = {name: _tensor(rows) for name, rows in self._named().items()}
        return Samples(inputs, tensors.pop(next(iter(tensors))), tensors)


def _check_widths(rows: Sequence[object], what: str) -> None:
    widths = sorted({len(row) for row in rows if isinstance(row, list)})
    if len(widths) > 1:
        uneven = f"rows of {what} have {widths[0]} to {widths[-1]} numbers"
        raise refusal(uneven, cure="make all rows equally long")


def _describe(name: str, rows: Targets) -> Target:
    first = rows[0]
    if isinstance(first, list):
        return Target(name, (), len(first))
    highest = max(number for number in rows if isinstance(number, int))
    classes = tuple(str(number) for number in range(max(2, highest + 1)))
    return Target(name, classes, len(classes))


def _tensor(rows: Targets) -> Tensor:
    kind = torch.float32 if isinstance(rows[0], list) else torch.int64
    return torch.tensor(rows, dtype=kind)
