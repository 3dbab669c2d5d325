"""The base of layer kinds: validated fields, and a `build` that turns them into a module."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from torch import nn

from cnnctl.config.bounds import PositiveInt
from cnnctl.config.choice import Choice, refusal
from cnnctl.config.wording import times
from cnnctl.errors import config_fault
from cnnctl.model.initializers import Activation, Initializer
from cnnctl.model.receptive_field import OWN_PIXEL, Window

Shape = tuple[int, ...]
"""Shape of a sample, without the batch: (C, H, W), (C, L) or (F,)."""

Width = PositiveInt | Literal["classes"]
"""A number of outputs; `classes` is as many as the data has."""

_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"


def _fit_for_a_module(name: str) -> str:
    if not re.fullmatch(_NAME, name):
        message = f"{name!r} is not a valid layer name"
        raise refusal(message, hint="use letters, digits and _, starting with a letter")
    if hasattr(nn.Sequential(), name):
        raise refusal(
            f"{name} is reserved by nn.Module", hint=f"use another name, such as my_{name}"
        )
    return name


Name = Annotated[
    str, AfterValidator(_fit_for_a_module), Field(json_schema_extra={"pattern": _NAME})
]


NUMBER = 4
"""Bytes of a float32."""

Role = Literal[
    "", "convolution", "linear", "normalization", "activations", "pooling", "dropout", "shape"
]
Meaning = Literal[
    "values", "positive", "bounded", "probabilities", "log_probabilities", "log_sigmoids"
]


@dataclass(frozen=True, slots=True)
class Saved:
    """What a layer saves for the backward pass, if gradients are asked for."""

    input: bool = False
    output: bool = False
    beside: int = 0
    """Bytes for one sample of other tensors."""


class Layer(Choice, family="layers", item=True):
    """A layer of a network. A kind declares its fields, builds its module and describes it."""

    role: ClassVar[Role] = ""
    """Its role; a drawing has a colour for each."""
    acts_as: ClassVar[Activation | None] = None
    """For an activation: its kind, as far as it matters to the weights before it."""
    gives: ClassVar[Meaning] = "values"
    """What its outputs represent, as outputs of the network."""
    saves: ClassVar[Saved] = Saved(input=True)
    """What it saves, if that is always the same; see `saved`."""
    is_view: ClassVar[bool] = False
    """Whether its output shares the memory of its input."""
    is_linear: ClassVar[bool] = False
    """Whether it is linear in evaluation, up to an offset."""
    is_dropout: ClassVar[bool] = False
    """Whether it zeroes values in training, and so changes their variance."""
    is_norm: ClassVar[bool] = False
    """Whether it normalises the scale of its input."""
    centers_channels: ClassVar[bool] = False
    """Whether it subtracts the mean of each channel."""
    mixes_samples: ClassVar[bool] = False
    """Whether an output depends on all samples of a batch in training."""

    blocks_gradients: ClassVar[bool] = False
    """Whether its gradient is 0 everywhere, so that nothing before it learns."""
    symbol: ClassVar[str] = "x"
    """What a worked computation calls its output."""
    formula: ClassVar[str] = ""
    """How a worked computation writes it; x is the input, and an option's name in braces its value.
    Empty if only the shape or the order changes."""
    letters: ClassVar[Mapping[str, str]] = {"weight": "W", "bias": "b"}
    """What a worked computation calls its parameters."""

    name: Name | None = None
    """Name in the state dict, the summary and messages (default: kind and number)."""

    @property
    def dropped(self) -> float:
        """The share of values that it zeroes in training."""
        return 0.0

    @property
    def starting_scale(self) -> float:
        """The factor on the scale of values when training starts, apart from random weights."""
        return 1.0

    @abstractmethod
    def build(self, input: Shape) -> nn.Module:
        """Build the module for an input of this shape, without the batch.

        Raises:
            FaultError: the layer does not fit this shape; paths are relative to the layer.
        """

    def constructor(self) -> tuple[str, Mapping[str, Any]] | None:
        """The function that makes its module, and its arguments, as source code writes them.

        None if the class of the module and its attributes say it.
        """
        return None

    def infer(self, input: Shape) -> Shape | None:
        """The output shape, if it is known without running the module."""
        return None

    def window(self, input: Shape, output: Shape) -> Window | None:
        """The pixels that an output depends on; by default its own, if the layer keeps the sides.

        Called if the output has as many sides as the input. Statistics that a norm computes over
        a whole image are ignored.
        """
        return [OWN_PIXEL] * len(input[1:]) if input[1:] == output[1:] else None

    def multiply_adds(self, input: Shape, output: Shape) -> int | None:
        """Multiply-adds of convolutions and matrix products, for one sample.

        None for a layer that has to be run to measure them; that also measures what it saves.
        """
        return None

    def saved(self, input: Shape, output: Shape, *, learning: Collection[str]) -> Saved:
        """What it saves for the backward pass.

        Includes every tensor that torch's operators save, as float32 and on the CPU, where dropout
        masks are numbers. Excludes weights, which exist anyway, and the few statistics of norms.

        Args:
            learning: its parameters that are not frozen.
        """
        return self.saves

    def layer_count(self) -> int:
        """Number of layers it consists of."""
        return 1

    def worked(self) -> str:
        """Its `formula`, with its options."""
        return self.formula.format_map(dict(self))

    def with_classes(self, classes: int) -> Self:
        """The layer and everything in it, with `classes` replaced by their number."""
        filled = {key: _filled(value, classes) for key, value in self if key != "name"}
        return self.model_copy(update=filled)


def _filled(value: object, classes: int) -> object:
    if isinstance(value, Layer):
        return value.with_classes(classes)
    if isinstance(value, list):
        return [_filled(item, classes) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, classes) for key, item in value.items()}
    return classes if value == "classes" else value


class ShapeKeeper(Layer):
    """A layer whose output has the shape of its input."""

    def constructor(self) -> tuple[str, Mapping[str, Any]] | None:
        """The function that makes its module, and its arguments, as source code writes them.

        None if the class of the module and its attributes say it.
        """
        return None

    def infer(self, input: Shape) -> Shape | None:
        return input


class WithoutProducts(Layer):
    """A layer without convolutions and matrix products."""

    def multiply_adds(self, input: Shape, output: Shape) -> int | None:
        return 0


class WeightedLayer(Layer):
    """A layer with a weight and a bias, which may have their own initializers."""

    weighs_inputs: ClassVar[bool] = True
    """Whether its weight has a row for each output, by which a patch of the input is multiplied."""
    symbol = "z"
    formula = "W x + b"

    bias: bool = True
    """Add a learned bias to each output."""
    init: Initializer | None = None
    """Initializer of the weight (default: the model's `init`)."""
    bias_init: Initializer | None = None
    """Initializer of the bias (default: zeros)."""

    def worked(self) -> str:
        return self.formula if self.bias else self.formula.removesuffix(" + b")

    @property
    def is_dense(self) -> bool:
        """Whether every output depends on every channel, unlike in half of a separable layer."""
        return True

    @model_validator(mode="after")
    def _needs_a_bias(self) -> Self:
        if self.bias_init and not self.bias:
            message = f"{self.kind} has a bias_init, but no bias"
            raise refusal(message, hint="remove bias_init, or bias: false")
        return self


def size_of(shape: Shape) -> int:
    """Bytes of a tensor of this shape, as float32."""
    return prod(shape) * NUMBER


def describe_shape(shape: Shape) -> str:
    """A shape as text: `16 channels of 5x5`, `a vector of 120`."""
    if len(shape) == 1:
        return f"a vector of {shape[0]}"
    return f"{channels(shape)} of {times(shape[1:])}"


def channels(shape: Shape) -> str:
    """`1 channel`, `16 channels`."""
    return "1 channel" if shape[0] == 1 else f"{shape[0]} channels"


def check_divides(parts: int, input: Shape, *, option: str) -> None:
    """Reject an option that does not divide the channels of an input evenly."""
    if input[0] % parts:
        message = f"{parts} does not divide {describe_shape(input)}"
        raise config_fault(message, hint=f"use a divisor of {input[0]}", path=(option,))


def spatial_dims(input: Shape, *, kind: str) -> int:
    """1 for (C, L) and 2 for (C, H, W); a vector is a fault."""
    if len(input) in (2, 3):
        return len(input) - 1
    message = f"{kind} needs an image or a signal, but gets {describe_shape(input)}"
    raise config_fault(message, hint=f"put {kind} before flatten, or add unflatten before it")


def feature_count(input: Shape, *, kind: str) -> int:
    """The length of a vector; anything else is a fault."""
    if len(input) == 1:
        return input[0]
    raise config_fault(
        f"{kind} needs a vector, but gets {describe_shape(input)}",
        hint=f"add flatten before {kind}",
    )
