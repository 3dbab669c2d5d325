"""Initializers that draw nothing: fixed values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import hypot, prod, sqrt
from typing import Annotated

import torch
from pydantic import AfterValidator, Field, FiniteFloat
from torch import Generator, Tensor
from torch.nn import init

from cnnctl.config.bounds import Float32
from cnnctl.config.choice import refusal
from cnnctl.config.wording import times
from cnnctl.errors import below, config_fault
from cnnctl.model.initializers import Activation, Initializer

Nested = Sequence["Nested | float"]


class Dirac(Initializer, kind="dirac"):
    """Pass the input channels through a convolution unchanged."""

    groups: Annotated[int, Field(gt=0)] = 1
    """Groups of output channels that each pass the input through."""
    rest: Initializer | None = None
    """Initializer of the filters beyond the input channels (default: zeros)."""

    def check(self, shape: tuple[int, ...]) -> None:
        if len(shape) < 3:
            what = f"a weight of {times(shape)}" if len(shape) > 1 else "a bias"
            message = f"dirac initialises convolution kernels, not {what}"
            raise config_fault(
                message, hint="use another initializer for this layer, such as orthogonal"
            )
        if shape[0] % self.groups:
            message = f"{self.groups} does not divide the {shape[0]} output channels"
            raise config_fault(message, hint=f"use a divisor of {shape[0]}", path=("groups",))
        if self.rest is not None:
            with below("rest"):
                self.rest.check(shape)

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        if self.rest is None:
            init.dirac_(weight, groups=self.groups)
            return
        self.rest.fill(weight, activation=activation, generator=generator)
        per_group = len(weight) // self.groups
        for first in range(0, len(weight), per_group):
            init.dirac_(weight[first : first + min(per_group, weight.shape[1])])

    def rms(self, shape: tuple[int, ...], *, activation: Activation) -> float | None:
        passing = self.groups * min(shape[0] // self.groups, shape[1])
        beyond = self.rest.rms(shape, activation=activation) if self.rest else 0.0
        if beyond is None:
            return None
        return sqrt((passing / prod(shape[1:]) + (shape[0] - passing) * beyond**2) / shape[0])


class Fixed(Initializer):
    """One value everywhere."""

    def rms(self, shape: tuple[int, ...], *, activation: Activation) -> float | None:
        return abs(self.value)

    @property
    def starts_equal(self) -> bool:
        return True

    @property
    def value(self) -> float:
        """The value."""
        return 0.0

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        init.constant_(weight, self.value)


class Constant(Fixed, kind="constant"):
    """A constant value."""

    val: FiniteFloat
    """The value."""

    @property
    def value(self) -> float:
        return self.val


class Zeros(Fixed, kind="zeros"):
    """All zeros."""


class Ones(Fixed, kind="ones"):
    """All ones."""

    @property
    def value(self) -> float:
        return 1.0


def _shape(values: Nested) -> tuple[int, ...]:
    """The shape of nested lists; a refusal if those of one level differ in length."""
    shapes = sorted({_shape(item) if isinstance(item, list) else () for item in values})
    if len(shapes) > 1:
        message = f"lists side by side have {times(shapes[0])} and {times(shapes[-1])} numbers"
        raise refusal(message, hint="make them the same length")
    return (len(values), *shapes[0])


def _is_even(values: Nested) -> Nested:
    _shape(values)
    return values


Vector = Annotated[list[Float32], Field(min_length=1)]
Rows = Annotated[list[Vector], Field(min_length=1)]
Signals = Annotated[list[Rows], Field(min_length=1)]
Images = Annotated[list[Signals], Field(min_length=1)]


class Values(Initializer, kind="values"):
    """Numbers written out, such as those of an example in a textbook."""

    values: Annotated[Vector | Rows | Signals | Images, AfterValidator(_is_even)]
    """Nested lists of the tensor's shape: of a linear weight, a row for each output."""

    def check(self, shape: tuple[int, ...]) -> None:
        given = _shape(self.values)
        if given != shape:
            what = "weight" if len(shape) > 1 else "bias"
            message = f"{times(given)} numbers do not fit a {what} of {times(shape)}"
            raise config_fault(message, hint=f"write {_listed(shape)}", path=("values",))

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        with torch.no_grad():
            weight.copy_(torch.tensor(self.values))

    def rms(self, shape: tuple[int, ...], *, activation: Activation) -> float | None:
        numbers = list(_flat(self.values))
        return hypot(*numbers) / sqrt(len(numbers))

    @property
    def starts_equal(self) -> bool:
        return len(set(_flat(self.values))) == 1


def _flat(values: Nested) -> Iterator[float]:
    for item in values:
        if isinstance(item, float | int):
            yield item
        else:
            yield from _flat(item)


def _listed(shape: tuple[int, ...]) -> str:
    """`2 lists of 3 lists of 5 numbers`."""
    nouns = ["list"] * (len(shape) - 1) + ["number"]
    counted = zip(shape, nouns, strict=True)
    return " of ".join(f"{count} {noun}{'s' * (count > 1)}" for count, noun in counted)
