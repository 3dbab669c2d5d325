"""The networks of the zoo."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cnnctl.model.zoo.network import Chance, Network, Width, dropout_of

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


class ResNet34(ResNet, kind="resnet34"):
    """ResNet-34 (He et al. 2015)."""

    file = "resnet_basic.yaml"
    stages = (3, 4, 6, 3)


class Bottlenecks(ResNet):
    """Blocks of 1x1, 3x3 and 1x1."""

    file = "resnet_bottleneck.yaml"
    expansion = 4

    strides_in: Literal["3x3", "1x1"] = "3x3"
    """Where blocks make images smaller: as torchvision has it (v1.5), or the paper (v1)."""

    def parameters(self) -> dict[str, Any]:
        first, second = ("$stride", 1) if self.strides_in == "1x1" else (1, "$stride")
        return {**super().parameters(), "first": first, "second": second}


class ResNet50(Bottlenecks, kind="resnet50"):
    """ResNet-50 (He et al. 2015)."""

    stages = (3, 4, 6, 3)


class ResNet101(Bottlenecks, kind="resnet101"):
    """ResNet-101 (He et al. 2015)."""

    stages = (3, 4, 23, 3)


class ResNet152(Bottlenecks, kind="resnet152"):
    """ResNet-152 (He et al. 2015)."""

    stages = (3, 8, 36, 3)


class CifarResNet(Network):
    """6n + 2 layers in three stages."""

    file = "resnet_cifar.yaml"
    n: ClassVar[int]

    width: Width = 16
    """Channels of the first stage; each stage doubles them."""

    def parameters(self) -> dict[str, Any]:
        widths = {f"w{n + 1}": self.width * 2**n for n in range(3)}
        return {**widths, "n": self.n, "more": self.n - 1}


class ResNet20(CifarResNet, kind="resnet20"):
    """ResNet-20 for CIFAR (He et al. 2015)."""

    n = 3


class ResNet32(CifarResNet, kind="resnet32"):
    """ResNet-32 for CIFAR (He et al. 2015)."""

    n = 5


class ResNet44(CifarResNet, kind="resnet44"):
    """ResNet-44 for CIFAR (He et al. 2015)."""

    n = 7


class ResNet56(CifarResNet, kind="resnet56"):
    """ResNet-56 for CIFAR (He et al. 2015)."""

    n = 9


class ResNet110(CifarResNet, kind="resnet110"):
    """ResNet-110 for CIFAR (He et al. 2015)."""

    n = 18


class PreactResNet18(Network, kind="preact_resnet18"):
    """Pre-activation ResNet-18 for CIFAR (He et al. 2016)."""

    file = "preact_resnet18.yaml"

    width: Width = 64
    """Channels of the first stage; each stage doubles them."""

    def parameters(self) -> dict[str, Any]:
        return {f"w{n + 1}": self.width * 2**n for n in range(4)}


class WideResNet(Network, kind="wide_resnet"):
    """Wide ResNet for CIFAR (Zagoruyko and Komodakis 2016): WRN-28-10 if nothing is given."""

    file = "wide_resnet.yaml"

    depth: Literal[16, 22, 28, 34, 40, 52, 100] = 28
    """Layers; one of 6n + 4."""
    width: Annotated[int, Field(gt=0, le=100)] = 10
    """Times as many channels as in ResNet-20."""
    dropout: Chance = 0.0
    """Chance to drop an output between the two convolutions of a block; 0.3 in the paper."""

    def parameters(self) -> dict[str, Any]:
        widths = {f"w{n + 1}": 16 * self.width * 2**n for n in range(3)}
        more = (self.depth - 4) // 6 - 1
        return {**widths, "more": more, "dropout": dropout_of(self.dropout)}
