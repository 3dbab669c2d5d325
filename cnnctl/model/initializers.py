"""Initializers: one class per kind, named as in torch.nn.init."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Literal, Self

import torch
from pydantic import AfterValidator, Field, FiniteFloat, model_validator
from torch import Generator, Tensor
from torch.nn import init

from cnnctl.config.bounds import Float32
from cnnctl.config.choice import Choice, refusal
from cnnctl.config.wording import exact, times
from cnnctl.errors import config_fault

Activation = Literal["linear", "relu", "leaky_relu", "tanh", "sigmoid", "selu"]
"""What follows a layer, as far as it matters for initialisation."""
Gain = Literal["auto", "linear", "relu", "leaky_relu", "tanh", "sigmoid", "selu"]
RECTIFIERS = ("relu", "leaky_relu")
Fan = Literal["fan_in", "fan_out"]
Nested = Sequence["Nested | float"]


class Initializer(Choice, family="initializers"):
    """An initializer of weights."""

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise a FaultError if this does not fit a tensor of this shape; most fit all."""

    @abstractmethod
    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        """Initialise the weight in place; `activation` follows its layer."""

    def better_before(self, activation: Activation) -> str:
        """A better kind for weights before this activation; empty if this one suits."""
        return ""


class FanInitializer(Initializer):
    """An initializer that needs fan_in and fan_out, which a bias does not have."""

    def check(self, shape: tuple[int, ...]) -> None:
        if len(shape) < 2:
            message = f"{self.kind} cannot initialise a bias"
            raise config_fault(message, hint="use zeros, constant, normal or uniform")


class Default(FanInitializer, kind="default"):
    """By the activation: Kaiming before a rectifier, LeCun before selu, else Xavier."""

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        if activation in RECTIFIERS:
            init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
        elif activation == "selu":  # Klambauer et al. 2017 want variance 1 / fan_in
            init.kaiming_normal_(weight, nonlinearity="linear", generator=generator)
        else:
            init.xavier_uniform_(weight, generator=generator)


def _gain(chosen: Gain, activation: Activation) -> Activation:
    return activation if chosen == "auto" else chosen


class Kaiming(FanInitializer):
    """With variance gain^2 / fan (He et al. 2015)."""

    a: FiniteFloat = 0.0
    """Negative slope of the leaky_relu that sets the gain."""
    mode: Fan = "fan_in"
    """Keep the variance of the forward (fan_in) or of the backward pass (fan_out)."""
    nonlinearity: Gain = "leaky_relu"
    """Activation that sets the gain; `auto` is the one after the layer."""

    def better_before(self, activation: Activation) -> str:
        is_unfit = self.nonlinearity in RECTIFIERS and activation in ("tanh", "sigmoid")
        return self.kind.replace("kaiming", "xavier") if is_unfit else ""


class KaimingNormal(Kaiming, kind="kaiming_normal"):
    """Normal with variance gain^2 / fan (He et al. 2015)."""

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        gain = _gain(self.nonlinearity, activation)
        init.kaiming_normal_(weight, self.a, self.mode, nonlinearity=gain, generator=generator)


class KaimingUniform(Kaiming, kind="kaiming_uniform"):
    """Uniform with variance gain^2 / fan (He et al. 2015)."""

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        gain = _gain(self.nonlinearity, activation)
        init.kaiming_uniform_(weight, self.a, self.mode, nonlinearity=gain, generator=generator)


class Xavier(FanInitializer):
    """With variance gain^2 * 2 / (fan_in + fan_out) (Glorot and Bengio 2010)."""

    gain: FiniteFloat = 1.0
    """A factor on the standard deviation."""

    def better_before(self, activation: Activation) -> str:
        is_unfit = self.gain == 1 and activation in RECTIFIERS
        return self.kind.replace("xavier", "kaiming") if is_unfit else ""


class XavierNormal(Xavier, kind="xavier_normal"):
    """Normal with variance gain^2 * 2 / (fan_in + fan_out) (Glorot and Bengio 2010)."""

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        init.xavier_normal_(weight, gain=self.gain, generator=generator)


class XavierUniform(Xavier, kind="xavier_uniform"):
    """Uniform with variance gain^2 * 2 / (fan_in + fan_out) (Glorot and Bengio 2010)."""

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        init.xavier_uniform_(weight, gain=self.gain, generator=generator)


class Normal(Initializer, kind="normal"):
    """Normal, with a mean and a standard deviation."""

    mean: FiniteFloat = 0.0
    """Mean."""
    std: Annotated[FiniteFloat, Field(ge=0)] = 1.0
    """Standard deviation."""

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        init.normal_(weight, self.mean, self.std, generator=generator)


class TruncNormal(Initializer, kind="trunc_normal"):
    """Normal, redrawn outside [a, b]."""

    mean: FiniteFloat = 0.0
    """Mean."""
    std: Annotated[FiniteFloat, Field(gt=0)] = 1.0
    """Standard deviation, before the tails are cut off."""
    a: FiniteFloat = -2.0
    """Smallest value."""
    b: FiniteFloat = 2.0
    """Largest value."""

    @model_validator(mode="after")
    def _holds_the_bell(self) -> Self:
        if self.a >= self.b:
            raise refusal(f"a = {exact(self.a)} is not below b = {exact(self.b)}", hint="swap them")
        if not self.a - 2 * self.std <= self.mean <= self.b + 2 * self.std:
            # further out, torch would draw for very long until it finds a value
            range_ = f"[{exact(self.a)}, {exact(self.b)}]"
            message = f"mean = {exact(self.mean)} is more than two std outside {range_}"
            raise refusal(message, hint="change mean, or a and b")
        return self

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        init.trunc_normal_(weight, self.mean, self.std, self.a, self.b, generator=generator)


class Uniform(Initializer, kind="uniform"):
    """Uniform between a and b."""

    a: FiniteFloat = 0.0
    """Smallest value."""
    b: FiniteFloat = 1.0
    """Largest value."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.a > self.b:
            raise refusal(f"a = {exact(self.a)} is above b = {exact(self.b)}", hint="swap them")
        return self

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        init.uniform_(weight, self.a, self.b, generator=generator)


class Orthogonal(FanInitializer, kind="orthogonal"):
    """Orthogonal rows (Saxe et al. 2013)."""

    gain: FiniteFloat = 1.0
    """A factor on the weights."""

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        init.orthogonal_(weight, gain=self.gain, generator=generator)


class Dirac(Initializer, kind="dirac"):
    """Pass the input channels through a convolution unchanged."""

    groups: Annotated[int, Field(gt=0)] = 1
    """Groups of output channels that each pass the input through."""

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

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        init.dirac_(weight, groups=self.groups)


class Constant(Initializer, kind="constant"):
    """A constant value."""

    val: FiniteFloat
    """The value."""

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        init.constant_(weight, self.val)


class Zeros(Initializer, kind="zeros"):
    """All zeros."""

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        init.zeros_(weight)


class Ones(Initializer, kind="ones"):
    """All ones."""

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        init.ones_(weight)


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


def _listed(shape: tuple[int, ...]) -> str:
    """`2 lists of 3 lists of 5 numbers`."""
    nouns = ["list"] * (len(shape) - 1) + ["number"]
    counted = zip(shape, nouns, strict=True)
    return " of ".join(f"{count} {noun}{'s' * (count > 1)}" for count, noun in counted)
