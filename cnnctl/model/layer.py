"""What every layer kind is: fields, checked, and a `build` that turns them into a module."""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from torch import nn

from cnnctl.config.bounds import PositiveInt
from cnnctl.config.choice import Choice, refusal
from cnnctl.errors import config_fault
from cnnctl.model.initializers import Activation, Initializer

Shape = tuple[int, ...]
"""What one sample measures, without the batch: (C, H, W), (C, L) or (F,)."""

Width = PositiveInt | Literal["classes"]
"""A number of outputs; `classes` is as many as the data has."""

_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"


def _fit_for_a_module(name: str) -> str:
    if not re.fullmatch(_NAME, name):
        message = f"{name!r} is no name for a layer"
        raise refusal(message, hint="use letters, digits and _, with a letter first")
    if hasattr(nn.Sequential(), name):
        raise refusal(f"{name} is a word of PyTorch's own", hint=f"write my_{name}, say")
    return name


Name = Annotated[
    str, AfterValidator(_fit_for_a_module), Field(json_schema_extra={"pattern": _NAME})
]


class Layer(Choice, family="layers", item=True):
    """One step of a network. A member gives its fields and builds its module."""

    acts_as: ClassVar[Activation | None] = None
    """Of an activation: its kind, as far as the weights before it care."""

    name: Name | None = None
    """Its name in the state dict, the summary and messages; kind and number if left out."""

    @abstractmethod
    def build(self, input: Shape) -> nn.Module:
        """Build the module for an input of this shape, without the batch.

        Raises:
            FaultError: the layer does not fit this shape; paths are below the layer.
        """

    def infer(self, input: Shape) -> Shape | None:
        """The shape that comes out, where that is known without running the module."""
        return None

    def layer_count(self) -> int:
        """How many layers it is made of."""
        return 1

    def with_classes(self, classes: int) -> Self:
        """The layer, and all in it, with `classes` replaced by their number."""
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

    def infer(self, input: Shape) -> Shape | None:
        return input


class WeightedLayer(Layer):
    """A layer with a weight and a bias, which may say how they start."""

    bias: bool = True
    """Whether a learned number is added to each output."""
    init: Initializer | None = None
    """How the weight starts; as the model's `init` if left out."""
    bias_init: Initializer | None = None
    """How the bias starts; zeros if left out."""

    @model_validator(mode="after")
    def _needs_a_bias(self) -> Self:
        if self.bias_init and not self.bias:
            message = f"{self.kind} has a bias_init, but no bias"
            raise refusal(message, hint="drop bias_init, or bias: false")
        return self


def describe_shape(shape: Shape) -> str:
    """A shape in words: `16 channels of 5x5`, `a vector of 120`."""
    if len(shape) == 1:
        return f"a vector of {shape[0]}"
    return f"{channels(shape)} of {'x'.join(map(str, shape[1:]))}"


def channels(shape: Shape) -> str:
    """`1 channel`, `16 channels`."""
    return "1 channel" if shape[0] == 1 else f"{shape[0]} channels"


def check_divides(parts: int, input: Shape, *, option: str) -> None:
    """Refuse an option that cuts the channels of an input in unequal parts."""
    if input[0] % parts:
        message = f"{parts} does not divide {describe_shape(input)}"
        raise config_fault(message, hint=f"use a divisor of {input[0]}", path=(option,))


def spatial_dims(input: Shape, *, kind: str) -> int:
    """1 for (C, L) and 2 for (C, H, W); a vector is a fault."""
    if len(input) in (2, 3):
        return len(input) - 1
    message = f"{kind} needs channels of pixels or of a signal, but gets {describe_shape(input)}"
    raise config_fault(message, hint=f"put {kind} before flatten, or add unflatten before it")


def feature_count(input: Shape, *, kind: str) -> int:
    """The length of a vector; anything else is a fault."""
    if len(input) == 1:
        return input[0]
    raise config_fault(
        f"{kind} needs a vector, but gets {describe_shape(input)}",
        hint=f"add flatten before {kind}",
    )
