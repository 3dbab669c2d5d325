"""Elementwise activations; initialisation depends on `acts_as`."""

from collections.abc import Collection
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, model_validator
from torch import nn

from cnnctl.config.bounds import PositiveInt
from cnnctl.config.choice import refusal
from cnnctl.config.wording import exact
from cnnctl.errors import config_fault
from cnnctl.model.layer import (
    Saved,
    Shape,
    ShapeKeeper,
    WithoutProducts,
    describe_shape,
    size_of,
)
from cnnctl.model.modules import Step as StepModule

Scale = Annotated[FiniteFloat, Field(gt=0)]


class Activation(WithoutProducts):
    """The traits of all activations."""

    symbol = "a"
    role = "activations"


class Pointwise(ShapeKeeper, Activation):
    """An activation whose output has the shape of its input."""


class Copying(Pointwise):
    """An activation that saves another tensor as large as its input."""

    def saved(self, input: Shape, output: Shape, *, learning: Collection[str]) -> Saved:
        return Saved(input=True, beside=size_of(input))


class Relu(Pointwise, kind="relu"):
    """max(0, x)."""

    formula = "max(0, z)"
    acts_as = "relu"
    saves = Saved(output=True)

    def build(self, input: Shape) -> nn.Module:
        return nn.ReLU()


class Relu6(Pointwise, kind="relu6"):
    """relu, clipped at 6."""

    formula = "min(max(0, z), 6)"
    acts_as = "relu"

    def build(self, input: Shape) -> nn.Module:
        return nn.ReLU6()


class LeakyRelu(Pointwise, kind="leaky_relu", short="negative_slope"):
    """relu with a small slope below zero."""

    formula = "max(0, z) + {negative_slope} min(0, z)"
    acts_as = "leaky_relu"

    negative_slope: FiniteFloat = 0.01
    """Slope below zero."""

    def build(self, input: Shape) -> nn.Module:
        return nn.LeakyReLU(self.negative_slope)


class PRelu(Pointwise, kind="prelu"):
    """leaky_relu with a learned slope (He et al. 2015)."""

    formula = "max(0, z) + α min(0, z)"
    letters = {"weight": "α"}
    acts_as = "leaky_relu"

    num_parameters: PositiveInt = 1
    """One slope for all, or as many as there are channels."""
    init: FiniteFloat = 0.25
    """Initial slope."""

    def build(self, input: Shape) -> nn.Module:
        if self.num_parameters not in (1, input[0]):
            message = f"{self.num_parameters} slopes do not fit {describe_shape(input)}"
            raise config_fault(message, hint=f"use 1 or {input[0]}", path=("num_parameters",))
        return nn.PReLU(self.num_parameters, self.init)


class Elu(Pointwise, kind="elu", short="alpha"):
    """x above zero, alpha (exp(x) - 1) below (Clevert et al. 2015)."""

    formula = "max(0, z) + {alpha} (exp(min(0, z)) - 1)"
    acts_as = "relu"

    alpha: Scale = 1.0
    """Outputs stay above -alpha."""

    def build(self, input: Shape) -> nn.Module:
        return nn.ELU(self.alpha)


class Celu(Pointwise, kind="celu", short="alpha"):
    """elu with a continuous derivative (Barron 2017)."""

    formula = "max(0, z) + {alpha} (exp(min(0, z) / {alpha}) - 1)"
    acts_as = "relu"

    alpha: Scale = 1.0
    """Outputs stay above -alpha."""

    def build(self, input: Shape) -> nn.Module:
        return nn.CELU(self.alpha)


class Selu(Pointwise, kind="selu"):
    """elu scaled to preserve mean and variance (Klambauer et al. 2017)."""

    formula = "1.0507 (max(0, z) + 1.6733 (exp(min(0, z)) - 1))"
    acts_as = "selu"

    def build(self, input: Shape) -> nn.Module:
        return nn.SELU()


class Gelu(Pointwise, kind="gelu"):
    """x times the normal CDF at x (Hendrycks and Gimpel 2016)."""

    formula = "z Φ(z)"
    acts_as = "relu"

    approximate: Literal["none", "tanh"] = "none"
    """`tanh` uses the tanh approximation."""

    def build(self, input: Shape) -> nn.Module:
        return nn.GELU(self.approximate)


class Silu(Pointwise, kind="silu"):
    """x sigmoid(x), also named swish (Ramachandran et al. 2017)."""

    formula = "z / (1 + exp(-z))"
    acts_as = "relu"

    def build(self, input: Shape) -> nn.Module:
        return nn.SiLU()


class Mish(Pointwise, kind="mish"):
    """x tanh(softplus(x)) (Misra 2019)."""

    formula = "z tanh(ln(1 + exp(z)))"
    acts_as = "relu"

    def build(self, input: Shape) -> nn.Module:
        return nn.Mish()


class Hardswish(Pointwise, kind="hardswish"):
    """Approximate silu: x hardsigmoid(x) (Howard et al. 2019)."""

    formula = "z min(max(0, z / 6 + 1 / 2), 1)"
    acts_as = "relu"

    def build(self, input: Shape) -> nn.Module:
        return nn.Hardswish()


class Hardsigmoid(Pointwise, kind="hardsigmoid"):
    """Piecewise linear sigmoid: x / 6 + 1 / 2, clipped to [0, 1]."""

    formula = "min(max(0, z / 6 + 1 / 2), 1)"
    acts_as = "sigmoid"
    gives = "probabilities"

    def build(self, input: Shape) -> nn.Module:
        return nn.Hardsigmoid()


class Hardtanh(Pointwise, kind="hardtanh"):
    """x, clipped to [min_val, max_val]."""

    formula = "min(max({min_val}, z), {max_val})"
    acts_as = "tanh"
    gives = "bounded"

    min_val: FiniteFloat = -1.0
    """Smallest value."""
    max_val: FiniteFloat = 1.0
    """Largest value."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_val >= self.max_val:
            low, high = exact(self.min_val), exact(self.max_val)
            message = f"hardtanh: min_val = {low} is not below max_val = {high}"
            raise refusal(message, hint="swap them")
        return self

    def build(self, input: Shape) -> nn.Module:
        return nn.Hardtanh(self.min_val, self.max_val)


class Softplus(Pointwise, kind="softplus"):
    """A smooth relu: log(1 + exp(beta x)) / beta."""

    formula = "ln(1 + exp({beta} z)) / {beta}"
    acts_as = "relu"
    gives = "positive"

    beta: Scale = 1.0
    """Sharpness of the bend."""
    threshold: FiniteFloat = 20.0
    """Linear above this value of beta x."""

    def build(self, input: Shape) -> nn.Module:
        return nn.Softplus(self.beta, self.threshold)


class Softsign(Copying, kind="softsign"):
    """x / (1 + |x|)."""

    formula = "z / (1 + |z|)"
    acts_as = "tanh"
    gives = "bounded"

    def build(self, input: Shape) -> nn.Module:
        return nn.Softsign()


class Tanh(Pointwise, kind="tanh"):
    """The hyperbolic tangent, from -1 to 1."""

    formula = "tanh(z)"
    acts_as = "tanh"
    gives = "bounded"
    saves = Saved(output=True)

    def build(self, input: Shape) -> nn.Module:
        return nn.Tanh()


class Sigmoid(Pointwise, kind="sigmoid"):
    """1 / (1 + exp(-x)), from 0 to 1."""

    formula = "1 / (1 + exp(-z))"
    acts_as = "sigmoid"
    gives = "probabilities"
    saves = Saved(output=True)

    def build(self, input: Shape) -> nn.Module:
        return nn.Sigmoid()


class Step(Pointwise, kind="step", short="at_zero"):
    """0 below zero, 1 above: the Heaviside function, whose gradient is 0 (Rosenblatt 1958)."""

    formula = "1 if z > 0 else 0, at 0: {at_zero}"
    acts_as = "linear"
    gives = "bounded"
    saves = Saved()
    blocks_gradients = True

    at_zero: Literal[0, 1] = 1
    """Output for an input of 0."""

    def build(self, input: Shape) -> nn.Module:
        return StepModule(self.at_zero)


class LogSigmoid(Copying, kind="log_sigmoid"):
    """The logarithm of sigmoid."""

    formula = "-ln(1 + exp(-z))"
    acts_as = "relu"  # bends as softplus does, upside down
    gives = "log_sigmoids"

    def build(self, input: Shape) -> nn.Module:
        return nn.LogSigmoid()
