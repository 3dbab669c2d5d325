"""Random initializers: one class per kind, named as in torch.nn.init."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from math import hypot, prod, sqrt
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, model_validator
from torch import Generator, Tensor, nn
from torch.nn import init

from cnnctl.config.choice import Choice, refusal
from cnnctl.config.wording import exact
from cnnctl.errors import config_fault

Activation = Literal["linear", "relu", "leaky_relu", "tanh", "sigmoid", "selu"]
"""What follows a layer, as far as it matters for initialisation."""
Gain = Literal["auto", "linear", "relu", "leaky_relu", "tanh", "sigmoid", "selu"]
RECTIFIERS = ("relu", "leaky_relu")
Fan = Literal["fan_in", "fan_out"]


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

    def rms(self, shape: tuple[int, ...], *, activation: Activation) -> float | None:
        """The root mean square of a weight of this shape, as expected; None if it is unknown."""
        return None

    @property
    def starts_equal(self) -> bool:
        """Whether all numbers start with the same value."""
        return False

    @property
    def measured_on(self) -> int:
        """Training samples that it is measured on, after `fill`; most need none."""
        return 0

    def fill_measured(self, layer: nn.Module, inputs: Iterable[Tensor]) -> None:
        """Initialise the weight of a layer from its inputs for samples, in parts (N, C, …)."""


class FanInitializer(Initializer):
    """An initializer that needs fan_in and fan_out, which a bias does not have."""

    def check(self, shape: tuple[int, ...]) -> None:
        if len(shape) < 2:
            message = f"{self.kind} cannot initialise a bias"
            raise config_fault(message, hint="use zeros, constant, normal or uniform")


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """fan_in and fan_out of a weight, as in torch."""
    return prod(shape[1:]), shape[0] * prod(shape[2:])


def _xavier(shape: tuple[int, ...], gain: float) -> float:
    return gain * sqrt(2 / sum(fans(shape)))


class Default(FanInitializer, kind="default"):
    """By the activation: Kaiming before a rectifier, LeCun before selu, else Xavier."""

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        if activation in RECTIFIERS:
            init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
        elif activation == "selu":  # Klambauer et al. 2017 want variance 1 / fan_in
            init.kaiming_normal_(weight, nonlinearity="linear", generator=generator)
        else:
            init.xavier_uniform_(weight, generator=generator)

    def rms(self, shape: tuple[int, ...], *, activation: Activation) -> float | None:
        if activation in RECTIFIERS:
            return sqrt(2 / fans(shape)[0])
        return sqrt(1 / fans(shape)[0]) if activation == "selu" else _xavier(shape, 1)


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

    def rms(self, shape: tuple[int, ...], *, activation: Activation) -> float | None:
        fan = fans(shape)[self.mode == "fan_out"]
        gain = init.calculate_gain(_gain(self.nonlinearity, activation), self.a)
        return float(gain) / sqrt(fan)


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

    def rms(self, shape: tuple[int, ...], *, activation: Activation) -> float | None:
        return _xavier(shape, abs(self.gain))


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

    def rms(self, shape: tuple[int, ...], *, activation: Activation) -> float | None:
        return hypot(self.mean, self.std)

    @property
    def starts_equal(self) -> bool:
        return self.std == 0


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

    def rms(self, shape: tuple[int, ...], *, activation: Activation) -> float | None:
        return min(hypot(self.mean, self.std), max(abs(self.a), abs(self.b)))


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

    def rms(self, shape: tuple[int, ...], *, activation: Activation) -> float | None:
        return sqrt((self.a**2 + self.a * self.b + self.b**2) / 3)

    @property
    def starts_equal(self) -> bool:
        return self.a == self.b


class Orthogonal(FanInitializer, kind="orthogonal"):
    """Orthogonal rows (Saxe et al. 2013)."""

    gain: FiniteFloat = 1.0
    """A factor on the weights."""

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        init.orthogonal_(weight, gain=self.gain, generator=generator)

    def rms(self, shape: tuple[int, ...], *, activation: Activation) -> float | None:
        return abs(self.gain) / sqrt(max(shape[0], prod(shape[1:])))
