"""Images, signals and vectors in NumPy's arrays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field
from torch import Tensor

from cnnctl.config.bounds import PositiveFloat
from cnnctl.data.arrays.collection import Collection, open_collection
from cnnctl.data.arrays.form import IMAGE_DIMENSIONS, ArrayForm, Layout, shape_of, white_of
from cnnctl.data.file_set import not_surveyed
from cnnctl.data.paths import DataPath
from cnnctl.data.residence import Residence
from cnnctl.data.rows import Rows
from cnnctl.data.sample_set import SampleSet
from cnnctl.data.sample_source import SampleSource
from cnnctl.data.splits import Positions

if TYPE_CHECKING:
    from cnnctl.data.pictures.worker import PictureForm

ArrayName = Annotated[str, Field(min_length=1)]


class ArraySet(SampleSet, kind="arrays"):
    """Images, signals or vectors in NumPy's arrays: .npz, or .npy in a folder or archive.

    One array has the inputs, and one or several the targets; arrays such as x_train and x_test, as
    in Keras' and MedMNIST's files, hold the splits. A test and a validation split that are missing
    are cut off. The files of a folder are mapped, so they may be larger than memory.
    """

    path: DataPath
    """The .npz file, or the folder or archive (.zip, .tar) of .npy files, relative to this file."""
    inputs: ArrayName = "auto"
    """Array of the inputs, or what the names of those of splits share; `auto` knows x, inputs,
    images, data, signals and features."""
    target: ArrayName = "auto"
    """Array of the targets; `auto` knows y, labels and targets."""
    layout: Literal["auto"] | Layout = "auto"
    """Whether channels come before or after height and width, or the length of a signal; `auto`
    follows from the shape."""
    group: ArrayName | None = None
    """Array whose equal entries stay in one split, such as a patient's number."""
    split: ArrayName | None = None
    """Array that puts each sample in `train`, `validation` or `test`."""
    white: Literal["auto"] | PositiveFloat | None = "auto"
    """Number for a white pixel in images; `auto` is 255 for bytes, 65535 for uint16, else 1 or 255
    if all are within it, and null, for numbers that are no pixels, if not."""
    rows: Literal["auto"] | Residence = "auto"
    """Keep arrays in memory, or map their files; `auto` keeps them in memory if they take at most a
    fourth of it."""

    @property
    def one_target(self) -> str:
        return self.target

    def array_form(self) -> ArrayForm:
        if not self.shape or self.layout == "auto" or self.white == "auto":
            raise not_surveyed()
        return ArrayForm(tuple(self.shape), self.layout, self.white, self.inputs)

    @property
    def has_pixels(self) -> bool:
        return super().has_pixels and self.white is not None

    def picture_form(self) -> PictureForm | None:
        return super().picture_form() if self.white is not None else None

    def source(self) -> Collection:
        return open_collection(
            Path(self.path),
            inputs=self.inputs,
            targets=self.named_targets,
            group=self.group,
            split=self.split,
        )

    def measured(self, source: SampleSource, train: Positions) -> Self:
        assert isinstance(source, Collection)
        shape, layout = shape_of(source.inputs, self.layout)
        form = ArrayForm(tuple(self.shape) or shape, layout, white=None)
        source.check_form(form)
        white = self.white
        if white == "auto":
            is_image = len(form.shape) == IMAGE_DIMENSIONS
            white = white_of(source.inputs, lambda: source.rows(form, train)) if is_image else None
        return self.model_copy(update={"shape": [*form.shape], "layout": layout, "white": white})

    def read_inputs(self, source: SampleSource, rows: Positions) -> Tensor | Rows:
        assert isinstance(source, Collection)
        return source.resident(source.rows(self.array_form(), rows), self.rows)
