"""Images, signals and vectors in NumPy's arrays."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field
from torch import Tensor

from cnnctl.config.bounds import PositiveFloat, PositiveInt
from cnnctl.config.wording import show
from cnnctl.data.arrays.collection import Collection
from cnnctl.data.arrays.form import IMAGE_DIMENSIONS, ArrayForm, Layout, shape_of, white_of
from cnnctl.data.arrays.naming import find_parts
from cnnctl.data.arrays.reading import open_arrays
from cnnctl.data.arrays.targets import ArrayTargets, ArrayTask
from cnnctl.data.dataset import RegressionSet, StoredSplit
from cnnctl.data.file_set import FileSet, SampleCounts, not_surveyed
from cnnctl.data.parts import Known, StoredPart, parts_of
from cnnctl.data.paths import DataPath
from cnnctl.data.residence import Residence, residence_of
from cnnctl.data.rows import Rows, in_memory
from cnnctl.data.samples import DatasetInfo, Samples
from cnnctl.data.splits import Positions
from cnnctl.errors import config_fault

if TYPE_CHECKING:
    from cnnctl.data.pictures.worker import PictureForm

ArrayName = Annotated[str, Field(min_length=1)]


class ArraySet(FileSet, RegressionSet, kind="arrays"):
    """Images, signals or vectors in NumPy's arrays: an .npz file, or a folder of .npy files.

    One array has the inputs and one the targets; arrays such as x_train and x_test, as in Keras'
    and MedMNIST's files, hold the splits. A test and a validation split that are missing are cut
    off. The files of a folder are mapped, so they may be larger than memory.
    """

    path: DataPath
    """The .npz file, or the folder of .npy files, relative to this file."""
    inputs: ArrayName = "auto"
    """Array of the inputs, or what the names of those of splits share; `auto` knows x, inputs,
    images, data, signals and features."""
    target: ArrayName = "auto"
    """Array of the targets; `auto` knows y, labels and targets."""
    layout: Literal["auto"] | Layout = "auto"
    """Whether channels come before or after height and width, or the length of a signal; `auto`
    follows from the shape."""
    task: Literal["auto"] | ArrayTask = "auto"
    """Predict a class, any number of labels (rows of 0 and 1) or values; `auto` follows from the
    targets."""
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
    shape: Annotated[list[PositiveInt], Field(max_length=3)] = Field(default=[])
    """Shape of a sample: features, [channels, length] or [channels, height, width] (default: found
    in the arrays)."""
    outputs: PositiveInt | None = None
    """Number of values to predict (default: counted)."""

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

    def array_form(self) -> ArrayForm:
        if not self.shape or self.layout == "auto" or self.white == "auto":
            raise not_surveyed()
        return ArrayForm(tuple(self.shape), self.layout, self.white, self.inputs)

    def picture_form(self) -> PictureForm | None:
        return super().picture_form() if self.white is not None else None

    def surveyed(self, root: Path, *, seed: int) -> Self:
        if self.samples is not None:
            return self
        found = self._collection()
        known, targets = self._with_task(found.targets())
        parts = known._parts(found, targets)
        train, test = parts["train"], parts["test"]
        known = known._with_classes(targets, train.rows)
        held = known._held(targets, train, seed=seed)
        counts = SampleCounts(
            train=len(train.rows) - len(held), validation=len(held), test=len(test.rows)
        )
        known = known._with_form(found, np.delete(train.rows, held))
        return known.model_copy(update={"samples": counts})

    def read_split(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        assert self.task != "auto"  # as `whole` has checked
        found = self._collection()
        targets = found.targets().of(self.task)
        if split == "test" and self._is_another(found):
            part = StoredPart(np.arange(len(found)), Known([None] * len(found)))
            note = f"{self.path} has other arrays than the run: all {len(found):,} samples are"
            print(f"note: {note} tested", file=sys.stderr)
        else:
            part = self._parts(found, targets)[split]
        return Samples(
            self._inputs(found, part.rows),
            targets.tensor(self.task, self.classes, part.rows),
            validation=part.validation,
            groups=part.known.groups,
            identity=found.identity(part.rows),
        )

    def _collection(self) -> Collection:
        path = Path(self.path)
        names = {name: getattr(self, name) for name in ("inputs", "target", "group", "split")}
        return Collection(find_parts(open_arrays(path), place=str(path), **names))

    def _is_another(self, found: Collection) -> bool:
        """Whether these are not the arrays of the run, and not in splits themselves."""
        if not self._is_located or self.content == "auto" or any(found.given()):
            return False
        return self.content.get("test") != found.identity(np.arange(len(found)))

    def _with_task(self, targets: ArrayTargets) -> tuple[Self, ArrayTargets]:
        """With the task, and the targets in its form."""
        task = targets.found_task() if self.task == "auto" else self.task
        if self.task == "auto" and targets.is_one_hot():
            name = targets.arrays[0].name
            note = f"{name} is one-hot, so each sample has one class; for labels, set data.task"
            print(f"note: {note}=multilabel", file=sys.stderr)
        found = targets.of(task)
        if task == "regression":
            update = {"task": task, "classes": [], "outputs": found.values.shape[1]}
        else:
            update = {"task": task, "normalize_targets": None}
        return self.model_copy(update=update), found

    def _with_classes(self, targets: ArrayTargets, train: Positions) -> Self:
        """With the names of classes or labels, after a check that all targets have one."""
        classes = self.classes
        if self.task == "classification":
            classes = classes or targets.names(train)
            numbers = targets.tensor(self.task, classes, np.arange(len(targets.values)))
            _note_absent(classes, numbers[train])
        elif self.task == "multilabel":
            classes = _label_names(classes, targets)
        return self.model_copy(update={"classes": classes})

    def _parts(self, found: Collection, targets: ArrayTargets) -> dict[StoredSplit, StoredPart]:
        known = Known(
            found.given(),
            classes=targets.numbered() if self.task == "classification" else None,
            labels=targets.values > 0 if self.task == "multilabel" else None,
            groups=found.groups(),
        )
        return parts_of(known, test=self.test_share, held_out=self.held_out)

    def _held(self, targets: ArrayTargets, train: StoredPart, *, seed: int) -> Positions:
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

    def _with_form(self, found: Collection, train: Positions) -> Self:
        """With the shape of samples, the layout, and the number for white."""
        shape, layout = shape_of(found.inputs, self.layout)
        shape = tuple(self.shape) or shape
        form = ArrayForm(shape, layout, white=None)
        for part in found.parts:
            form.check(part.inputs)
        white = self.white
        if white == "auto":
            is_image = len(shape) == IMAGE_DIMENSIONS
            white = white_of(found.inputs, lambda: found.rows(form, train)) if is_image else None
        return self.model_copy(update={"shape": [*shape], "layout": layout, "white": white})

    def _inputs(self, found: Collection, rows: Positions) -> Tensor | Rows:
        """The inputs of these samples, mapped or in memory."""
        inputs = found.rows(self.array_form(), rows)
        size = len(rows) * prod(self.shape) * inputs.dtype.itemsize
        residence = residence_of(size) if self.rows == "auto" else self.rows
        if residence == "mapped" and found.is_mapped:
            return inputs
        if self.rows == "mapped":
            message = "the arrays of an .npz file cannot be mapped"
            hint = f"unzip {Path(self.path).name} into a folder, and give that"
            raise config_fault(message, hint=hint, path=("rows",))
        return in_memory(inputs).tensor


def _label_names(classes: Sequence[str], targets: ArrayTargets) -> list[str]:
    """The names of labels, by default their numbers."""
    width = targets.values.shape[1]
    names = list(classes) or [str(number) for number in range(width)]
    if len(names) != width:
        message = f"{len(names)} names, but {targets.arrays[0].name} has {width} columns of labels"
        raise config_fault(message, hint="name every label, in order", path=("classes",))
    return names


def _note_absent(classes: Sequence[str], train: Tensor) -> None:
    """Say which classes no training sample is of."""
    absent = sorted(set(range(len(classes))) - set(train.tolist()))
    if absent:
        names = ", ".join(show(classes[number]) for number in absent[:10])
        more = ", …" if len(absent) > 10 else ""
        print(f"note: no training sample is of class {names}{more}", file=sys.stderr)
