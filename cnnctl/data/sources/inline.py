"""A handful of samples written in the experiment itself, to work through by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from cnnctl.config.bounds import Float32
from cnnctl.config.choice import refusal
from cnnctl.data.dataset import BatchSize, RegressionSet, StoredSplit
from cnnctl.data.normalization import Normalize
from cnnctl.data.samples import DatasetInfo, Samples, Target
from cnnctl.target import likeliest

MAX_ROWS = 10_000
ROUNDING = 0.0101
"""How far from 1 probabilities can add up to that are rounded to two digits."""
MAX_NUMBERS = 20_000
"""Limit on the numbers in all rows; a configuration has no room for more."""
Vector = Annotated[list[Float32], Field(min_length=1, max_length=MAX_NUMBERS)]
Rows = Annotated[list[Vector], Field(max_length=MAX_ROWS)]
ClassNumber = Annotated[int, Field(ge=0, lt=1000)]
Classes = Annotated[list[ClassNumber], Field(max_length=MAX_ROWS)]
Targets = Classes | Rows
"""Class of each sample, from 0, or its row of values."""
TargetsByName = Annotated[dict[str, Targets], Field(min_length=1, max_length=100)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Names = Annotated[list[Name], Field(max_length=1000)]


class Inline(RegressionSet, kind="inline"):
    """Samples in the file itself: rows of inputs, each with a class, labels or values.

    It has a test split only if `test_inputs` and `test_targets` are given.
    """

    has_files: ClassVar[bool] = False
    classes_hint: ClassVar[str] = "or name the columns in data.classes if rows are probabilities"

    inputs: Annotated[Rows, Field(min_length=1)]
    """A row of features for each sample."""
    targets: Targets | TargetsByName
    """Class of each sample, from 0, or its row of values; with `classes`, its row of probabilities,
    of classes if all rows add up to 1, else of labels. For heads, a mapping by target."""
    test_inputs: Rows = Field(default=[])
    """A row of features for each sample of the test split; empty for no test split."""
    test_targets: Targets | TargetsByName = Field(default=[])
    """Targets of the test split, in the same form as `targets`."""
    classes: Names | dict[str, Names] = Field(default=[])
    """Names of the classes or labels, in order (default: class numbers); for heads, a mapping by
    target."""
    batch_size: BatchSize = "all"
    """Samples per step; 1 is a single sample, `all` the full batch."""
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Fraction of the samples to hold out for validation."""
    normalize: Literal["auto"] | Normalize | None = None
    """Mean and standard deviation of each feature; `auto` computes them."""
    normalize_targets: Literal["auto"] | Normalize | None = None
    """Mean and standard deviation of each target value, of the first target if there are several;
    `auto` computes them."""

    @model_validator(mode="after")
    def _is_a_table(self) -> Self:
        _check_size(self.inputs, self.test_inputs, *self._named().values())
        _check_table(self.inputs, self._named(), "")
        if self.test_inputs or self.test_targets:
            self._check_test()
        self._check_class_names()
        return self

    def _check_test(self) -> None:
        """Raise a refusal unless test samples have the same form as training samples."""
        train, test = self._named(), _by_name(self.test_targets)
        if list(train) != list(test):
            hint = f"give test_targets for {', '.join(train)}, in this order"
            raise refusal("test_targets and targets have different names", hint=hint)
        _check_size(self.inputs, self.test_inputs, *train.values(), *test.values())
        _check_table(self.test_inputs, test, "test_")
        for what, rows, own in (
            ("test_inputs", self.inputs, self.test_inputs),
            *((_called(name, "test_"), train[name], test[name]) for name in train),
        ):
            if _form(rows[0]) != _form(own[0]):
                message = f"rows of {what} are {_form(own[0])}, not {_form(rows[0])} as in training"
                raise refusal(message, hint="use the same form for both")

    def _check_class_names(self) -> None:
        """Raise a refusal if class names are duplicate or missing, or there are no classes."""
        for name, names in self._class_names().items():
            rows = self._named().get(name)
            if rows is None:
                hint = f"targets: {', '.join(self._named())}"
                raise refusal(f"classes of {name}, which is not a target", hint=hint)
            if isinstance(rows[0], list):
                self._check_columns(name, names, width=len(rows[0]))
                continue
            if len(set(names)) < len(names) or len(names) < 2:
                what = f"{len(names)} class names, {len(set(names))} of them distinct"
                raise refusal(what, hint="name at least two classes, each differently")
            highest = self._highest(name)
            if highest >= len(names):
                message = f"class {highest} among the targets, but {len(names)} class names"
                raise refusal(message, hint="classes are counted from 0; name all of them")

    def _check_columns(self, name: str, names: Sequence[str], *, width: int) -> None:
        """Raise a refusal unless rows are probabilities, each with a name."""
        if not len(names) == len(set(names)) == width:
            what = f"{len(names)} class names, {len(set(names))} of them distinct"
            hint = "name every column, each differently"
            raise refusal(f"{what}, for rows of {width}", hint=hint)
        if self.normalize_targets and name == next(iter(self._named())):
            message = "probabilities of classes and labels are not normalised"
            raise refusal(message, hint="remove normalize_targets")
        for prefix, targets in (("", self.targets), ("test_", self.test_targets)):
            rows = enumerate(_by_name(targets).get(name, []))
            lists = ((number, row) for number, row in rows if isinstance(row, list))
            wrong = [(number, v) for number, row in lists for v in row if not 0 <= v <= 1]
            if wrong:
                where = f"row {wrong[0][0]} of {_called(name, prefix)} (counted from 0)"
                message = f"classes and labels are from 0 to 1, not {wrong[0][1]:g} as in {where}"
                hint = "use probabilities, or remove classes to predict values"
                raise refusal(message, hint=hint)

    def _class_names(self) -> dict[str, list[str]]:
        if isinstance(self.classes, dict):
            return self.classes
        return {next(iter(self._named())): self.classes} if self.classes else {}

    def _highest(self, name: str) -> int:
        """The largest class index in both splits."""
        return max(row for row in self._rows(name) if isinstance(row, int))

    def _rows(self, name: str) -> list[int | list[float]]:
        """The targets of both splits."""
        return [*self._named()[name], *_by_name(self.test_targets).get(name, [])]

    def _named(self) -> dict[str, Targets]:
        return _by_name(self.targets)

    def whole(self) -> DatasetInfo:
        first, *others = (self._describe(name, rows) for name, rows in self._named().items())
        return DatasetInfo(
            (len(self.inputs[0]),),
            first.class_names,
            first.outputs,
            len(self.inputs),
            first.name,
            tuple(others),
            has_test=bool(self.test_inputs),
            is_multilabel=first.is_multilabel,
            is_soft=first.is_soft,
        )

    def _describe(self, name: str, rows: Targets) -> Target:
        names = tuple(self._class_names().get(name, ()))
        if isinstance(rows[0], list):
            lists = [row for row in self._rows(name) if isinstance(row, list)]
            return _described(name, names, lists)
        names = names or tuple(map(str, range(max(2, self._highest(name) + 1))))
        return Target(name, names, len(names))

    def read_split(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        is_test = split == "test"
        inputs = torch.tensor(self.test_inputs if is_test else self.inputs, dtype=torch.float32)
        named = _by_name(self.test_targets) if is_test else self._named()
        known = {target.name: target for target in self.whole().targets}
        tensors = {name: _tensor(rows, known[name]) for name, rows in named.items()}
        return Samples(inputs, tensors.pop(next(iter(tensors))), tensors)


def _by_name(targets: Targets | dict[str, Targets]) -> dict[str, Targets]:
    return targets if isinstance(targets, dict) else {"target": targets}


def _check_size(*tables: Sequence[object]) -> None:
    numbers = sum(len(row) if isinstance(row, list) else 1 for rows in tables for row in rows)
    if numbers > MAX_NUMBERS:
        message = f"{numbers:,} numbers, more than the limit of {MAX_NUMBERS:,} for inline data"
        raise refusal(message, hint="use fewer samples, or a dataset in files")


def _check_table(inputs: Sequence[object], targets: dict[str, Targets], prefix: str) -> None:
    _check_widths(inputs, f"{prefix}inputs")
    for name, rows in targets.items():
        what = _called(name, prefix)
        if len(inputs) != len(rows):
            counts = f"{len(inputs)} rows of {prefix}inputs, but {len(rows)} {what}"
            raise refusal(counts, hint="write one target for each row")
        _check_widths(rows, what)


def _called(name: str, prefix: str) -> str:
    return f"{prefix}targets" if name == "target" else f"{prefix}targets of {name}"


def _check_widths(rows: Sequence[object], what: str) -> None:
    widths = sorted({len(row) for row in rows if isinstance(row, list)})
    if len(widths) > 1:
        uneven = f"rows of {what} have {widths[0]} to {widths[-1]} numbers"
        raise refusal(uneven, hint="make all rows the same length")


def _form(row: object) -> str:
    return f"{len(row)} numbers" if isinstance(row, list) else "classes"


def _described(name: str, names: tuple[str, ...], rows: Sequence[Sequence[float]]) -> Target:
    """What rows are: values without names, else probabilities of classes or of labels."""
    width = len(rows[0])
    are_classes = width > 1 and all(abs(sum(row) - 1) <= ROUNDING for row in rows)
    is_soft = any(number not in (0, 1) for row in rows for number in row)
    if not names:
        return Target(name, names, width)
    return Target(name, names, width, is_multilabel=not are_classes, is_soft=is_soft)


def _tensor(rows: Targets, target: Target) -> Tensor:
    is_certain = target.kind == "class" and not target.is_soft
    if not isinstance(rows[0], list):
        return torch.tensor(rows, dtype=torch.int64)
    numbers = torch.tensor(rows, dtype=torch.float32)
    return likeliest(numbers) if is_certain else numbers
