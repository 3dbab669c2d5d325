"""The networks of the zoo."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cnnctl.model.zoo.network import Network

Width = Annotated[int, Field(gt=0, le=4096)]

_IMAGENET_STEM: list[Any] = [
    {"conv": {"out_channels": 64, "kernel_size": 7, "stride": 2, "padding": 3, "bias": False}},
    "batch_norm",
    "relu",
    {"max_pool": {"kernel_size": 3, "stride": 2, "padding": 1}},
]
_CIFAR_STEM: list[Any] = [
    {"conv": {"out_channels": 64, "kernel_size": 3, "padding": 1, "bias": False}},
    "batch_norm",
    "relu",
]


def _stem(form: str, width: int) -> list[Any]:
    first, *others = _IMAGENET_STEM if form == "imagenet" else _CIFAR_STEM
    return [{"conv": {**first["conv"], "out_channels": width}}, *others]


class ResNet(Network):
    """Residual blocks in four stages."""

    stages: ClassVar[tuple[int, int, int, int]]
    expansion: ClassVar[int] = 1

    width: Width = 64
    """Channels of the first stage; each stage doubles them."""
    stem: Literal["imagenet", "cifar"] = "imagenet"
    """How it begins: 7x7 with stride 2 and pooling, or 3x3 for images of 32x32."""

    def parameters(self) -> dict[str, Any]:
        widths = {f"w{n + 1}": self.width * 2**n for n in range(4)}
        outs = {f"o{n + 1}": self.width * 2**n * self.expansion for n in range(4)}
        # the first block of a stage changes the shape, the others repeat
        more = {f"more{n + 1}": count - 1 for n, count in enumerate(self.stages)}
        return {**widths, **outs, **more, "stem": _stem(self.stem, self.width)}


class ResNet18(ResNet, kind="resnet18"):
    """ResNet-18 (He et al. 2015)."""

    file = "resnet_basic.yaml"
    stages = (2, 2, 2, 2)
