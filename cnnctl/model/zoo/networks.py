"""The networks of the zoo."""

from __future__ import annotations

from collections.abc import Iterator
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

    file = "resnet_basic.yaml"
    stages: ClassVar[tuple[int, int, int, int]]
    expansion: ClassVar[int] = 1

    width: Width = 64
    """Channels of the first stage; each stage doubles them."""
    stem: Literal["imagenet", "cifar"] = "imagenet"
    """First layers: 7x7 with stride 2 and pooling, or 3x3 for images of 32x32."""

    def parameters(self) -> dict[str, Any]:
        widths = {f"w{n + 1}": self.width * 2**n for n in range(4)}
        outs = {f"o{n + 1}": self.width * 2**n * self.expansion for n in range(4)}
        # the first block of a stage changes the shape, the others repeat
        more = {f"more{n + 1}": count - 1 for n, count in enumerate(self.stages)}
        return {**widths, **outs, **more, "stem": _stem(self.stem, self.width)}


ResNet.variant("resnet18", "ResNet-18 (He et al. 2015).", stages=(2, 2, 2, 2))
ResNet.variant("resnet34", "ResNet-34 (He et al. 2015).", stages=(3, 4, 6, 3))


class Bottlenecks(ResNet):
    """Bottleneck blocks: convolutions of 1x1, 3x3 and 1x1."""

    file = "resnet_bottleneck.yaml"
    expansion = 4
    groups: ClassVar[int] = 1
    group_width: ClassVar[int] = 64
    """Channels per group of the 3x3 convolution, in blocks of width 64."""

    strides_in: Literal["3x3", "1x1"] = "3x3"
    """Where blocks downsample: as in torchvision (v1.5) or in the paper (v1)."""

    def parameters(self) -> dict[str, Any]:
        first, second = ("$stride", 1) if self.strides_in == "1x1" else (1, "$stride")
        middle = self.width * self.group_width // 64 * self.groups
        middles = {f"m{n + 1}": middle * 2**n for n in range(4)}
        strides = {"first": first, "second": second}
        return {**super().parameters(), **middles, **strides, "groups": self.groups}


Bottlenecks.variant("resnet50", "ResNet-50 (He et al. 2015).", stages=(3, 4, 6, 3))
Bottlenecks.variant("resnet101", "ResNet-101 (He et al. 2015).", stages=(3, 4, 23, 3))
Bottlenecks.variant("resnet152", "ResNet-152 (He et al. 2015).", stages=(3, 8, 36, 3))
Bottlenecks.variant(
    "resnext50_32x4d",
    "ResNeXt-50, 32x4d (Xie et al. 2016).",
    stages=(3, 4, 6, 3),
    groups=32,
    group_width=4,
)
Bottlenecks.variant(
    "resnext101_32x8d",
    "ResNeXt-101, 32x8d (Xie et al. 2016).",
    stages=(3, 4, 23, 3),
    groups=32,
    group_width=8,
)
Bottlenecks.variant(
    "resnext101_64x4d",
    "ResNeXt-101, 64x4d (Xie et al. 2016).",
    stages=(3, 4, 23, 3),
    groups=64,
    group_width=4,
)
Bottlenecks.variant(
    "wide_resnet50_2",
    "Wide ResNet-50-2 for ImageNet (Zagoruyko and Komodakis 2016).",
    stages=(3, 4, 6, 3),
    group_width=128,
)
Bottlenecks.variant(
    "wide_resnet101_2",
    "Wide ResNet-101-2 for ImageNet (Zagoruyko and Komodakis 2016).",
    stages=(3, 4, 23, 3),
    group_width=128,
)


class CifarResNet(Network):
    """6n + 2 layers in three stages."""

    file = "resnet_cifar.yaml"
    n: ClassVar[int]

    width: Width = 16
    """Channels of the first stage; each stage doubles them."""

    def parameters(self) -> dict[str, Any]:
        widths = {f"w{n + 1}": self.width * 2**n for n in range(3)}
        return {**widths, "n": self.n, "more": self.n - 1}


CifarResNet.variant("resnet20", "ResNet-20 for CIFAR (He et al. 2015).", n=3)
CifarResNet.variant("resnet32", "ResNet-32 for CIFAR (He et al. 2015).", n=5)
CifarResNet.variant("resnet44", "ResNet-44 for CIFAR (He et al. 2015).", n=7)
CifarResNet.variant("resnet56", "ResNet-56 for CIFAR (He et al. 2015).", n=9)
CifarResNet.variant("resnet110", "ResNet-110 for CIFAR (He et al. 2015).", n=18)


class PreactResNet18(Network, kind="preact_resnet18"):
    """Pre-activation ResNet-18 for CIFAR (He et al. 2016)."""

    width: Width = 64
    """Channels of the first stage; each stage doubles them."""

    def parameters(self) -> dict[str, Any]:
        return {f"w{n + 1}": self.width * 2**n for n in range(4)}


class ResNet9(Network, kind="resnet9"):
    """ResNet-9 for CIFAR (Page 2018)."""

    width: Width = 64
    """Channels of the first layer; each pooling doubles them."""

    def parameters(self) -> dict[str, Any]:
        return {f"w{n + 1}": self.width * 2**n for n in range(4)}


class WideResNet(Network, kind="wide_resnet"):
    """Wide ResNet for CIFAR (Zagoruyko and Komodakis 2016): WRN-28-10 by default."""

    depth: Literal[16, 22, 28, 34, 40, 52, 100] = 28
    """Number of layers, 6n + 4."""
    width: Annotated[int, Field(gt=0, le=100)] = 10
    """Width multiplier, relative to ResNet-20."""
    dropout: Chance = 0.0
    """Dropout rate between the two convolutions of a block; 0.3 in the paper."""

    def parameters(self) -> dict[str, Any]:
        widths = {f"w{n + 1}": 16 * self.width * 2**n for n in range(3)}
        more = (self.depth - 4) // 6 - 1
        return {**widths, "more": more, "dropout": dropout_of(self.dropout)}


class ConvNeXt(Network):
    """Blocks with a depthwise 7x7 convolution, in four stages."""

    file = "convnext.yaml"
    stages: ClassVar[tuple[int, int, int, int]] = (3, 3, 27, 3)
    width: ClassVar[int] = 96

    stochastic_depth: Chance = 0.1
    """Probability of skipping the last block; it grows from 0 at the first."""

    def parameters(self) -> dict[str, Any]:
        widths = [self.width * 2**n for n in range(4)]
        named = {f"w{n + 1}": width for n, width in enumerate(widths)}
        chances = self._chances()
        stages = {
            f"stage{n + 1}": [
                {"block": {"width": width, "wide": 4 * width, "drop": next(chances)}}
                for _ in range(count)
            ]
            for n, (count, width) in enumerate(zip(self.stages, widths, strict=True))
        }
        return {**named, **stages}

    def _chances(self) -> Iterator[float]:
        blocks = sum(self.stages)
        return (round(self.stochastic_depth * n / (blocks - 1), 6) for n in range(blocks))


ConvNeXt.variant("convnext_tiny", "ConvNeXt-T (Liu et al. 2022).", stages=(3, 3, 9, 3))
ConvNeXt.variant("convnext_small", "ConvNeXt-S (Liu et al. 2022).", stochastic_depth=0.4)
ConvNeXt.variant("convnext_base", "ConvNeXt-B (Liu et al. 2022).", width=128, stochastic_depth=0.5)
ConvNeXt.variant("convnext_large", "ConvNeXt-L (Liu et al. 2022).", width=192, stochastic_depth=0.5)
