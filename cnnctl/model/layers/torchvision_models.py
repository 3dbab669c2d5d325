"""torchvision's classification networks, each as one layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

import torch
from pydantic import AfterValidator, Field, model_validator
from torch import nn
from torch.overrides import TorchFunctionMode

from cnnctl.config.choice import refusal
from cnnctl.errors import config_fault, nearest
from cnnctl.model.layer import Layer, Shape, Width, describe_shape

WITH_AUXILIARY_HEADS = ("googlenet", "inception_v3")
"""Networks to build without auxiliary heads, which would be separate outputs."""


def model_names() -> list[str]:
    """Every classification network that torchvision has."""
    from torchvision import models  # slow to import

    names: list[str] = models.list_models(module=models)
    return names


def _check_model(name: str) -> str:
    names = model_names()
    if name not in names:
        hint = nearest(name, names)
        raise refusal(f"torchvision has no network named {name}", hint=hint)
    return name


def _with_every_model(schema: dict[str, Any]) -> None:
    schema["enum"] = model_names()


ModelName = Annotated[str, AfterValidator(_check_model), Field(json_schema_extra=_with_every_model)]
"""The name of a network of torchvision.models."""


class Torchvision(Layer, kind="torchvision", short="model"):
    """A torchvision classification network, for images of 3 channels."""

    model: ModelName
    """Name in torchvision.models, such as resnet18."""
    outputs: Width = "classes"
    """Number of outputs; the last layer is replaced to fit."""
    transform_input: bool = False
    """Rescale ImageNet inputs as the DEFAULT weights of googlenet and inception_v3 expect."""

    @model_validator(mode="after")
    def _can_transform(self) -> Self:
        if self.transform_input and self.model not in WITH_AUXILIARY_HEADS:
            message = f"{self.model} has no input transform"
            raise refusal(message, hint="leave transform_input out")
        return self

    def build(self, input: Shape) -> nn.Module:
        if len(input) != 3 or input[0] != 3:
            message = f"{self.model} needs images of 3 channels, but gets {describe_shape(input)}"
            hint = "use colour images, or put - conv: {out_channels: 3, kernel_size: 1} before it"
            raise config_fault(message, hint=hint)
        return network_of_torchvision(self.model, **self._arguments())

    def constructor(self) -> tuple[str, Mapping[str, Any]]:
        return f"models.{self.model}", self._arguments()

    def _arguments(self) -> dict[str, Any]:
        more: dict[str, Any] = {"num_classes": int(self.outputs)}
        if self.model in WITH_AUXILIARY_HEADS:
            more |= {"aux_logits": False, "init_weights": True}
            more["transform_input"] = self.transform_input
        return more


def network_of_torchvision(name: str, **options: Any) -> nn.Module:
    """A network with these options of `torchvision.models.get_model`, also on the meta device."""
    from torchvision import models  # slow to import

    try:
        network: nn.Module = models.get_model(name, weights=None, **options)
    except NotImplementedError:  # widths are computed with tensors, which have no data there
        with _NumbersOnTheCpu():
            network = models.get_model(name, weights=None, **options)
    return network


class _NumbersOnTheCpu(TorchFunctionMode):
    """Keeps tensors made from numbers on the CPU within the meta device."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        on_cpu = {"device": "cpu"} if function in (torch.arange, torch.tensor) else {}
        return function(*args, **{**on_cpu, **(kwargs or {})})
