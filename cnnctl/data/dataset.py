"""The base of datasets: description, samples, splits and preparation."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field
from torch import Tensor

from cnnctl.config.bounds import PositiveInt
from cnnctl.config.choice import Choice
from cnnctl.config.wording import exact, times
from cnnctl.data.arrays.form import ArrayForm
from cnnctl.data.augmentations import Augmentation
from cnnctl.data.conformity import conformed
from cnnctl.data.features import Feature
from cnnctl.data.normalization import Normalize, normalization_of
from cnnctl.data.samples import DatasetInfo, Samples, Split
from cnnctl.errors import FaultError, config_fault, data_fault, under
from cnnctl.target import NOUNS

if TYPE_CHECKING:
    from cnnctl.data.pictures.worker import PictureForm
    from cnnctl.data.tables.reading import Table

StoredSplit = Literal["train", "test"]
BatchSize = PositiveInt | Literal["all"]
MAX_NUMBERS = 10**11
"""Limit on the numbers in all training samples together, which are kept in memory."""


class DataSet(Choice, family="datasets"):
    """A dataset."""

    has_files: ClassVar[bool] = True
    """Whether it is read from the dataset directory."""
    is_invented: ClassVar[bool] = False
    """Whether its samples are random, so that their statistics mean nothing."""
    shows_characters: ClassVar[bool] = False
    """Whether its images are letters or digits, which change their meaning if mirrored."""

    classes_hint: ClassVar[str] = ""
    """What to write for its values to be classes, for hints."""

    batch_size: BatchSize = 64
    """Samples per batch, or `all` for the full batch."""
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Fraction of the training split to hold out for validation, stratified by class or label."""
    normalize: Literal["auto"] | Normalize | None = "auto"
    """Mean and standard deviation for normalization; `auto` computes them on the training split,
    null disables it (pixels stay in 0 to 1)."""
    augment: list[Augmentation] = Field(default=[])
    """Augmentations of training batches, applied in this order."""
    sampler: Literal["shuffle", "balanced"] = "shuffle"
    """Samples of an epoch: `shuffle` takes each once; `balanced` takes as many, all classes of the
    first target equally often, repeating rare classes as a whole and omitting random samples of
    common ones."""
    drop_last: bool = False
    """Drop the last batch of an epoch if it is incomplete."""

    @abstractmethod
    def whole(self) -> DatasetInfo:
        """The description, without reading the data; `train_samples` includes validation."""

    @abstractmethod
    def read_split(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        """Read one split; see `load`."""

    def input_names(self) -> Mapping[str, int]:
        """The names of columns or channels in their order, each with its number of features."""
        return {}

    def features(self) -> Sequence[Feature]:
        """The features of a vector, with names; nothing if they have none."""
        return [
            Feature(name if width == 1 else f"{name}[{number}]")
            for name, width in self.input_names().items()
            for number in range(width)
        ]

    def as_text(self, features: Tensor) -> list[str]:
        """A stored vector (F,) as text, one for each of `input_names`."""
        return [f"{value:.4g}" for value in features.tolist()]

    def describe(self) -> DatasetInfo:
        """The description, without reading the data.

        Raises:
            FaultError: options that do not fit the data.
        """
        whole = self.whole()
        check_size(whole)
        check_names(whole)
        if isinstance(self.normalize, Normalize):
            try:
                self.normalize.check(whole.shape[0])
            except FaultError as error:
                raise under(("normalize",), error) from None
        held_out = self.held_out(whole.train_samples)
        return replace(whole, train_samples=whole.train_samples - held_out)

    def load(self, split: StoredSplit, *, root: Path, download: bool = True) -> Samples:
        """Read one split, with inputs of the shape in `describe`.

        Raises:
            FaultError: the files are missing and could not be downloaded, are damaged, or do not
                fit the description; or there is no test split.
        """
        whole = self.whole()
        if split == "test" and not whole.has_test:
            raise data_fault(f"{self.kind} has no test split", hint="use another split")
        samples = self.read_split(split, root=root, download=download)
        return conformed(samples, whole, what=self._called(split))

    def surveyed(self, root: Path, *, seed: int) -> Self:
        """This dataset, with the facts of its files that a network depends on filled in.

        Called once, when an experiment is read from YAML, and may read `root`; the result is
        written to config.yaml and the checkpoints. From then on, `whole` needs no disk access.

        Raises:
            FaultError: the files are missing or invalid.
        """
        return self

    def fitted(self, train: Split) -> Self:
        """This dataset with missing statistics filled in, from the training split alone."""
        if self.normalize != "auto":
            return self
        return self.model_copy(update={"normalize": normalization_of(train.chunks())})

    def located(self, folder: Path | None) -> Self:
        """This dataset with its files in the folder that was named for them, if one was.

        Those of published datasets are looked up below the `root` of `load` instead.
        """
        return self

    def identified(self, splits: Mapping[StoredSplit, Samples]) -> Self:
        """This dataset with the identity of its files, which a resumed run must find unchanged.

        Raises:
            FaultError: another identity has been recorded.
        """
        return self

    @property
    def has_validation(self) -> bool:
        """Whether samples of the training split are held out for validation."""
        return self.validation > 0

    @property
    def target_normalizations(self) -> Mapping[str, Literal["auto"] | Normalize]:
        """The normalisation of the values to predict, by the name of their target."""
        return {}

    @property
    def has_pixels(self) -> bool:
        """Whether samples are images of pixels, from 0 to 1 before normalisation."""
        return len(self.whole().shape) == 3

    def picture_form(self) -> PictureForm | None:
        """The form that pictures in files are decoded to; None unless samples are pictures."""
        from cnnctl.data.pictures.worker import PictureForm  # imports Pillow

        channels, *size = self.whole().shape
        if len(size) != 2 or channels not in (1, 3):
            return None
        return PictureForm("L" if channels == 1 else "RGB", (size[0], size[1]), "pad")

    def inputs_hint(self) -> str:
        """What to give for prediction, for hints."""
        return "give an array, in a .npy file"

    def array_form(self) -> ArrayForm:
        """The form that arrays of inputs are brought to."""
        return ArrayForm(self.whole().shape)

    def sample_names(self, table: Table) -> list[str]:
        """The name of each sample in a table, in the order of `encoded`: its line or row."""
        return [table.where(position) for position in range(len(table))]

    def encoded(self, table: Table) -> Tensor:
        """The samples in a table, such as its rows, (N, F) float32.

        Raises:
            FaultError: the samples are no rows of tables; or a column is missing, …
        """
        shape = times(self.whole().shape)
        message = f"the network takes samples of {shape}, not the rows of a table"
        raise data_fault(message, hint=self.inputs_hint(), place=table.place)

    def readers(self, table: Table) -> Iterator[tuple[str, Callable[[], Tensor]]]:
        """The name of each sample in a table, and what reads it as the dataset stores it.

        Raises:
            FaultError: as for `encoded`; what reads a sample can raise one, too.
        """
        for name, sample in zip(self.sample_names(table), self.encoded(table), strict=True):
            yield name, partial(Tensor.clone, sample)

    def held_out(self, samples: int) -> int:
        """Number of samples of the training split that are held out for validation."""
        return self.share_of(samples)

    def share_of(self, samples: int) -> int:
        """Number of samples to hold out for validation, to which a cut by groups only comes close.

        Raises:
            FaultError: none would be left for validation, or for training.
        """
        held_out = round(samples * self.validation)
        if (self.validation and not held_out) or held_out == samples:
            left = "validation" if not held_out else "training"
            message = f"{exact(self.validation)} of {samples} samples leaves none for {left}"
            raise config_fault(message, hint="use a share closer to 0.5", path=("validation",))
        return held_out

    def _called(self, split: StoredSplit) -> str:
        return f"{self.kind}, {split} split,"


class RegressionSet(DataSet):
    """A dataset of vectors with values to predict, (F,) and (T,) float32."""

    normalize_targets: Literal["auto"] | Normalize | None = "auto"
    """Mean and standard deviation for normalizing targets; `auto` computes them on the training
    split, null disables it. Metrics are in the original units."""

    @property
    def target_normalizations(self) -> Mapping[str, Literal["auto"] | Normalize]:
        if self.normalize_targets is None:
            return {}
        return {self.whole().target: self.normalize_targets}

    def fitted(self, train: Split) -> Self:
        fitted = super().fitted(train)
        if self.normalize_targets != "auto":
            return fitted
        return fitted.model_copy(update={"normalize_targets": normalization_of([train.targets])})


def data_root() -> Path:
    """The dataset directory: $CNNCTL_DATA, or `data` in the current folder."""
    return Path(os.environ.get("CNNCTL_DATA") or "data")


def check_size(whole: DatasetInfo) -> None:
    """Raise a FaultError for data that is too large for any machine."""
    numbers = whole.train_samples * prod(whole.shape)
    if numbers > MAX_NUMBERS:
        counted = f"{whole.train_samples} samples of {times(whole.shape)}"
        message = f"{counted} are {numbers:.0e} numbers, more than the limit of {MAX_NUMBERS:.0e}"
        raise config_fault(message, hint="use fewer or smaller samples")


def check_names(whole: DatasetInfo) -> None:
    """Raise a FaultError for a target whose classes or labels are not all named, or too many."""
    for target in whole.targets:
        named, kind = len(target.class_names), target.kind
        if kind != "values" and named != target.outputs:
            message = (
                f"{target.name} has {target.outputs} outputs, but {named} names of {NOUNS[kind]}"
            )
            hint = f"name each of its {NOUNS[kind]} in the DatasetInfo, or correct its outputs"
            raise config_fault(message, hint=hint)
