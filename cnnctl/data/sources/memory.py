"""Arrays that are given in Python, as `cnnctl.sklearn` trains on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import numpy as np
import torch
from pydantic import Field, PrivateAttr
from torch import Tensor

from cnnctl.config.bounds import NonNegativeInt, PositiveFloat, PositiveInt
from cnnctl.config.wording import shape_of_sample
from cnnctl.data.arrays.form import IMAGE_DIMENSIONS, ArrayForm
from cnnctl.data.dataset import RegressionSet, StoredSplit
from cnnctl.data.image_set import Size, resized
from cnnctl.data.sample_targets import Task
from cnnctl.data.samples import DatasetInfo, Samples, Shape
from cnnctl.data.tables.cells import NUMBER, Cells, Numbers, number_of
from cnnctl.errors import Fault, config_fault, data_fault, data_faults, gathered

if TYPE_CHECKING:
    from cnnctl.data.pictures.worker import PictureForm
    from cnnctl.data.tables.reading import Table


class Memory(RegressionSet, kind="memory"):
    """Arrays given in Python, such as those that cnnctl.sklearn is fitted to; no file names any.

    Their form is part of the experiment; the arrays themselves are not. There is no test split.
    """

    has_files: ClassVar[bool] = False

    shape: Annotated[list[PositiveInt], Field(max_length=3)] = Field(default=[])
    """Shape of a sample: features, [channels, length] or [channels, height, width]."""
    size: Size | None = None
    """Resize pictures to this side, or [height, width]; null keeps their size."""
    task: Task = "classification"
    """Predict a class, labels (any number at once) or values."""
    classes: Annotated[list[str], Field(max_length=100_000)] = Field(default=[])
    """Names of the classes or labels, in order."""
    outputs: PositiveInt = 1
    """Number of values to predict."""
    samples: NonNegativeInt = 0
    """Number of samples, including validation."""
    names: list[str] = Field(default=[])
    """Names of the features, in order, where they have names."""
    white: PositiveFloat | None = None
    """Number for a white pixel: 255 for bytes, 1 for numbers from 0 to 1; null for numbers that are
    no pixels."""
    _samples: Samples | None = PrivateAttr(default=None)

    def holding(self, samples: Samples) -> Self:
        """This dataset with its samples."""
        held = self.model_copy()
        held._samples = samples
        return held

    def whole(self) -> DatasetInfo:
        if not self.shape:
            message = "memory is for arrays given in Python, which a file cannot name"
            raise config_fault(message, hint="use arrays, or fit cnnctl.sklearn.Classifier to them")
        is_multilabel = self.task == "multilabel"
        outputs, names = len(self.classes) or self.outputs, tuple(self.classes)
        return DatasetInfo(
            self._sized_shape(),
            names,
            outputs,
            self.samples,
            has_test=False,
            is_multilabel=is_multilabel,
        )

    def _sized_shape(self) -> Shape:
        if self.size is None:
            return tuple(self.shape)
        if len(self.shape) != IMAGE_DIMENSIONS:
            message = f"only pictures are resized, not {shape_of_sample(self.shape)}"
            raise config_fault(message, hint="set data.size to null", path=("size",))
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        return (self.shape[0], *size)

    def resized(self, inputs: Tensor) -> Tensor:
        """Inputs of `shape`, (N, …), as the network takes them."""
        shape = self._sized_shape()
        return resized(inputs, shape[1:]) if self.size is not None else inputs

    def read_split(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        if self._samples is None:
            message = "the samples were given in Python and are not stored"
            raise data_fault(message, hint="score the estimator in Python, or predict new inputs")
        inputs = self._samples.inputs
        assert isinstance(inputs, Tensor)  # as `holding` got it
        return replace(self._samples, inputs=self.resized(inputs))

    def input_names(self) -> Mapping[str, int]:
        return dict.fromkeys(self.names, 1)

    def inputs_hint(self) -> str:
        return "give a table with the columns of training" if self.names else super().inputs_hint()

    def encoded(self, table: Table) -> Tensor:
        if not self.names:
            return super().encoded(table)
        columns, faults = list[Numbers](), list[Fault]()
        for name in self.names:
            with gathered(faults):
                columns.append(_numbers(table.cells(name)))
        if faults:
            raise data_faults(faults)
        return torch.from_numpy(np.stack(columns, axis=1)).float()

    @property
    def has_pixels(self) -> bool:
        return super().has_pixels and self.white is not None

    def picture_form(self) -> PictureForm | None:
        return super().picture_form() if self.white is not None else None

    def array_form(self) -> ArrayForm:
        return ArrayForm(self.whole().shape, white=self.white)


def _numbers(cells: Cells) -> Numbers:
    """The numbers of a column, (N,).

    Raises:
        FaultError: a cell is none, or missing.
    """
    numbers = cells.parsed(number_of, NUMBER)
    missing = np.flatnonzero(np.isnan(numbers)).tolist()
    if missing:
        raise cells.faults(missing, lambda _: "a number is missing", lambda _: "fill it in")
    return numbers
