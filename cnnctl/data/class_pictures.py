"""The base of datasets of pictures that each have one class, named by their source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor

from cnnctl.config.wording import show
from cnnctl.data.picture_set import PictureSet
from cnnctl.data.records import Record, numbered
from cnnctl.data.samples import DatasetInfo
from cnnctl.data.tables.targets import Strata
from cnnctl.errors import data_fault, nearest
from cnnctl.target import Target


class ClassPictures(PictureSet):
    """A dataset of pictures with one class each."""

    one_class_hint: ClassVar[str]
    """What to do about pictures that are all of one class."""

    def whole(self) -> DatasetInfo:
        counts, names = self.known_samples, tuple(self.classes)
        count, shape = counts.train + counts.validation, self.picture_form().shape
        return DatasetInfo(shape, names, len(names), count, has_test=counts.test > 0)

    @property
    def main_target(self) -> Target:
        return Target("target", tuple(self.classes), len(self.classes))

    def strata_of(self, records: Sequence[Record]) -> Strata:
        return Strata(classes=numbered([record.label for record in records]))

    def learned_from(self, train: Sequence[Record]) -> Self:
        names = self.classes or sorted({record.label for record in train}, key=in_order)
        if len(names) < 2 and not self.classes:
            message = f"has pictures of only one class, {names[0]}" if names else "has no pictures"
            raise data_fault(message, hint=self.one_class_hint, place=self.path)
        return self.model_copy(update={"classes": names})

    def targets_of(self, records: Sequence[Record]) -> dict[str, Tensor]:
        numbers = {name: number for number, name in enumerate(self.classes)}
        unknown = sorted({record.label for record in records} - numbers.keys())
        if unknown:
            first = next(record.entry.name for record in records if record.label == unknown[0])
            message = f"{first} is of class {show(unknown[0])}, which the training split lacks"
            hint = nearest(unknown[0], self.classes)
            raise data_fault(message, hint=hint, place=self.path)
        labels = [numbers[record.label] for record in records]
        return {"target": torch.tensor(labels, dtype=torch.int64)}


def in_order(name: str) -> tuple[bool, int, str]:
    """Sorts the names of classes: numbers by their size, before others."""
    is_number = name.isdecimal() and len(name) < 10
    return not is_number, int(name) if is_number else 0, name
