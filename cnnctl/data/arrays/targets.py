"""Arrays of targets: classes, labels of 0 and 1, or values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnctl.config.wording import show
from cnnctl.data.arrays.checking import check_numbers
from cnnctl.data.arrays.stored import Array, StoredArray
from cnnctl.data.sample_targets import SampleTargets, Task
from cnnctl.data.splits import Positions
from cnnctl.errors import FaultError, config_fault, nearest

MAX_CLASSES = 10_000
LAST_CHARACTER = 0x10FFFF
"""Of Unicode; those from 0xD800 to 0xDFFF are none."""
MANY = 1000
"""Samples above which classes may be a smaller share of them."""


@dataclass(frozen=True, slots=True)
class ArrayTargets(SampleTargets):
    """The targets of some samples, and the arrays that they are from, one after another."""

    arrays: Sequence[StoredArray]
    content: Array
    """(N,) or (N, K): numbers, truth values or texts."""
    rows: Positions
    """Where each sample is, all arrays one after another, (N,)."""

    @classmethod
    def read(cls, arrays: Sequence[StoredArray]) -> Self:
        """Read the targets of some arrays, (N,), (N, 1) or (N, K) each.

        Raises:
            FaultError: they have another shape, are of different kinds, or a target is missing.
        """
        parts = [_read(array) for array in arrays]
        kinds = {part.dtype.kind in "US" for part in parts}
        if len(kinds) > 1 or len({part.shape[1:] for part in parts}) > 1:
            message = "has targets of another kind or width than "
            hint = "save the targets of all splits in one form"
            raise arrays[-1].fault(message + arrays[0].name, hint=hint)
        content = np.concatenate(parts)
        return cls(arrays, content, np.arange(len(content)))

    @property
    def name(self) -> str:
        return self.arrays[0].name

    @property
    def remark(self) -> str:
        if not self.is_one_hot():
            return ""
        meant = "so each sample has one class; for labels, set data.task=multilabel"
        return f"{self.name} is one-hot, {meant}"

    @property
    def is_text(self) -> bool:
        """Whether the targets are texts."""
        return self.content.dtype.kind == "U"

    def take(self, rows: Positions) -> Self:
        return replace(self, content=self.content[rows], rows=self.rows[rows])

    def fault(self, at: int, message: str, *, hint: str) -> FaultError:
        """A fault of the target of the sample at this position."""
        row = int(self.rows[at])
        for array in self.arrays:
            if row < len(array):
                return array.fault(message, hint=hint, at=row)
            row -= len(array)
        raise IndexError(row)

    def found_task(self) -> Task:
        # Rows of 0 and 1 are classes if each has a single 1 (one-hot), else labels. Whole numbers
        # are classes if they are counted from 0, or few: at most 5 % of the samples, or 10 % of
        # up to 1,000, as AutoGluon has it.
        if self.content.ndim == 2:
            return "classification" if self.is_one_hot() else self._task_of_columns()
        if self.is_text or self.content.dtype.kind == "b":
            return "classification"
        return "classification" if self._has_few_integers() else "regression"

    def is_one_hot(self) -> bool:
        """Whether there are rows, each of a single 1 among zeros."""
        has_rows = self.content.ndim == 2 and self.content.shape[1] > 1
        return has_rows and self._is_binary() and bool((self.content.sum(axis=1) == 1).all())

    def check(self, task: Task) -> None:
        if task == "classification":
            self._classes()
        elif task == "multilabel":
            self._marks()
        else:
            self._numbers()

    def class_names(self) -> list[str]:
        known = np.unique(self._classes())
        if len(known) < 2:
            message = f"has only one class in the training split, {show(_name(known[0]))}"
            raise self.arrays[0].fault(message, hint="choose another target")
        if len(known) > MAX_CLASSES:
            message = f"has {len(known):,} classes, more than the limit of {MAX_CLASSES:,}"
            raise self.arrays[0].fault(message, hint="choose another target, or task: regression")
        return [_name(value) for value in known]

    def class_codes(self) -> Positions:
        return np.unique(self._classes(), return_inverse=True)[1].astype(np.int64)

    def class_numbers(self, classes: Sequence[str]) -> Tensor:
        known, inverse = np.unique(self._classes(), return_inverse=True)
        numbers = {name: number for number, name in enumerate(classes)}
        names = [_name(value) for value in known]
        if not self.is_text and not set(names) <= numbers.keys():
            names = [str(int(value)) for value in known]
            numbers = {str(number): number for number in range(len(classes))}
        for number, name in enumerate(names):
            if name not in numbers:
                message = f"is of class {show(name)}, which is not in the training split"
                hint = nearest(name, list(numbers)[:MANY])
                raise self.fault(int((inverse == number).argmax()), message, hint=hint)
        return torch.tensor([numbers[name] for name in names], dtype=torch.int64)[
            torch.from_numpy(inverse.astype(np.int64))
        ]

    def label_names(self, given: Sequence[str], *, separator: str) -> list[str]:
        return self._label_names(given, self._marks().shape[1])

    def labels(self, names: Sequence[str], *, separator: str) -> Tensor:
        marks = self._marks()
        self._label_names(names, marks.shape[1])
        return torch.from_numpy(marks.astype(np.float32))

    def bits(self) -> Tensor:
        marks = self._marks()
        if marks.shape[1] > 1:
            message = f"has {marks.shape[1]} labels of each sample, not one"
            hint = f"name it alone: {{name: labels, column: {self.name}}}"
            raise self.arrays[0].fault(message, hint=hint)
        return torch.from_numpy(marks[:, 0].astype(np.float32))

    def values(self) -> Tensor:
        return torch.from_numpy(self._numbers().astype(np.float32))

    def _classes(self) -> Array:
        """The class of each sample, (N,): a string, an integer or a boolean."""
        content = self.content
        if content.ndim == 2 and not self.is_one_hot():
            message = f"has rows of {content.shape[1]} numbers that are not one-hot"
            hint = "give each sample's class, or use task: multilabel or regression"
            raise self.arrays[0].fault(message, hint=hint)
        if content.ndim == 2:
            return np.asarray(content.argmax(axis=1))
        if content.dtype.kind != "f":
            return content
        if (wrong := content % 1 != 0).any():
            at = int(wrong.argmax())
            message = f"is {content[at]:g}, which is not a class"
            raise self.fault(at, message, hint="classes are whole numbers, or use regression")
        return content.astype(np.int64)

    def _numbers(self) -> Array:
        """The numbers of each sample, (N, K)."""
        if self.is_text:
            message = "holds texts, which are classes"
            raise self.arrays[0].fault(message, hint="use task: classification")
        return self.content.reshape(len(self.content), -1)

    def _marks(self) -> Array:
        """0 or 1 for each sample and label, (N, L)."""
        numbers = self._numbers()
        if not self._is_binary():
            at = int(((numbers != 0) & (numbers != 1)).any(axis=1).argmax())
            hint = "labels are 1 for those that a sample has, 0 for the others"
            raise self.fault(at, "has numbers other than 0 and 1", hint=hint)
        return numbers

    def _label_names(self, given: Sequence[str], width: int) -> list[str]:
        names = list(given) or [str(number) for number in range(width)]
        if len(names) != width:
            message = f"{len(names)} names, but {self.name} has {width} columns of labels"
            raise config_fault(message, hint="name every label, in order", path=("classes",))
        return names

    def _is_binary(self) -> bool:
        is_number = not self.is_text
        return is_number and bool(((self.content == 0) | (self.content == 1)).all())

    def _task_of_columns(self) -> Task:
        return "multilabel" if self._is_binary() else "regression"

    def _has_few_integers(self) -> bool:
        if self.content.dtype.kind == "f" and (self.content % 1 != 0).any():
            return False
        known = np.unique(self.content)
        few = len(self.content) * (0.05 if len(self.content) > MANY else 0.1)
        counts_on = known[0] == 0 and known[-1] == len(known) - 1
        return len(known) <= max(2, few) or (counts_on and len(known) <= len(self.content) / 2)


def _read(array: StoredArray) -> Array:
    values = array.read()
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim not in (1, 2) or not values.size:
        message = f"has the shape {array.shape}, not (N,) or (N, K)"
        raise array.fault(message, hint="give one target, or one row, for each sample")
    if values.dtype.kind in "US":
        return _texts(array, values)
    check_numbers(array, values)
    return values


def _texts(array: StoredArray, values: Array) -> NDArray[np.str_]:
    if values.ndim != 1:
        message = f"has texts of shape {array.shape}, not (N,)"
        raise array.fault(message, hint="give one text for each sample")
    if values.dtype.kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError:
            raise array.fault("has texts that are not UTF-8", hint="save them as str") from None
    values = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("=")))
    codes = values.view(np.uint32)
    if ((codes > LAST_CHARACTER) | ((codes >= 0xD800) & (codes < 0xE000))).any():
        raise array.fault("has texts that are not Unicode", hint="save them as str")
    if (values == "").any():
        at = int((values == "").argmax())
        raise array.fault("has no target", hint="fill it in, or remove the sample", at=at)
    return values


def _name(value: np.generic) -> str:
    """The name of a class: a text, a whole number, or false and true."""
    return str(value).lower() if isinstance(value, np.bool_) else str(value)
