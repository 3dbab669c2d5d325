"""Normalisation: mean 0 and variance 1 over a batch, a sample, a group or a channel."""

from collections.abc import Collection, Mapping
from math import prod
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat
from torch import nn

from cnnctl.config.bounds import PositiveInt, UnitInterval
from cnnctl.errors import config_fault
from cnnctl.model.layer import (
    NUMBER,
    Saved,
    Shape,
    ShapeKeeper,
    WithoutProducts,
    check_divides,
    describe_shape,
    size_of,
    spatial_dims,
)
from cnnctl.model.modules import ChannelNorm

Epsilon = Annotated[FiniteFloat, Field(gt=0)]

_INSTANCE_NORMS: Mapping[int, type[nn.Module]] = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d}


class Norm(ShapeKeeper, WithoutProducts):
    """The traits of all norms."""

    symbol = "n"
    formula = "γ (x - μ) / √(σ² + {eps}) + β"
    letters = {"weight": "γ", "bias": "β"}
    role = "normalization"
    is_norm = True

    def worked(self) -> str:
        options, formula = dict(self), super().worked()
        if not options.get("affine", options.get("elementwise_affine", True)):
            formula = formula.removeprefix("γ ").removesuffix(" + β")
        return formula if options.get("bias", True) else formula.removesuffix(" + β")


class BatchNorm(Norm, kind="batch_norm"):
    """Normalise each channel over the batch (Ioffe and Szegedy 2015): nn.BatchNorm2d or 1d."""

    is_linear = True
    centers_channels = True
    mixes_samples = True

    eps: Epsilon = 1e-5
    """Added to the variance for numerical stability."""
    momentum: UnitInterval | None = 0.1
    """Weight of a new batch in the running statistics; null averages all batches equally."""
    affine: bool = True
    """Learn a factor and an offset for each channel."""
    track_running_stats: bool = True
    """Use running statistics in evaluation; false uses those of the batch."""

    def build(self, input: Shape) -> nn.Module:
        is_image = len(input) > 1 and spatial_dims(input, kind=self.kind) == 2
        module = nn.BatchNorm2d if is_image else nn.BatchNorm1d
        return module(input[0], self.eps, self.momentum, self.affine, self.track_running_stats)


class LayerNorm(Norm, kind="layer_norm"):
    """Normalise each sample as a whole (Ba et al. 2016), or each position of it."""

    over: Literal["sample", "channels"] = "sample"
    """Normalise over the whole sample, or over the channels at each position as in ConvNeXt."""
    eps: Epsilon = 1e-5
    """Added to the variance for numerical stability."""
    elementwise_affine: bool = True
    """Learn a factor and an offset for each value."""
    bias: bool = True
    """Learn an offset as well as the factor."""

    def build(self, input: Shape) -> nn.Module:
        if self.over == "channels":
            return ChannelNorm(input[0], self.eps, self.elementwise_affine, self.bias)
        return nn.LayerNorm(input, self.eps, self.elementwise_affine, self.bias)

    def saved(self, input: Shape, output: Shape, *, learning: Collection[str]) -> Saved:
        # of the channels, a mean and a deviation at each position
        positions = prod(input[1:]) if self.over == "channels" else 0
        return Saved(input=True, beside=2 * positions * NUMBER)


class RMSNorm(Norm, kind="rms_norm"):
    """Divide each sample by its root mean square (Zhang and Sennrich 2019)."""

    formula = "γ x / √(mean of x² + ε)"
    eps: Epsilon | None = None
    """Added to the mean square (default: machine epsilon)."""
    elementwise_affine: bool = True
    """Learn a factor for each value."""

    def build(self, input: Shape) -> nn.Module:
        return nn.RMSNorm(input, self.eps, self.elementwise_affine)

    def saved(self, input: Shape, output: Shape, *, learning: Collection[str]) -> Saved:
        # for the weight, the normalised values
        return Saved(input=True, beside=size_of(input) if "weight" in learning else 0)


class GroupNorm(Norm, kind="group_norm", short="num_groups"):
    """Normalise groups of channels in each sample (Wu and He 2018)."""

    num_groups: PositiveInt
    """Number of groups; must divide the channels."""
    eps: Epsilon = 1e-5
    """Added to the variance for numerical stability."""
    affine: bool = True
    """Learn a factor and an offset for each channel."""

    def build(self, input: Shape) -> nn.Module:
        check_divides(self.num_groups, input, option="num_groups")
        return nn.GroupNorm(self.num_groups, input[0], self.eps, self.affine)


class InstanceNorm(Norm, kind="instance_norm"):
    """Normalise each channel of each sample: nn.InstanceNorm2d on images, 1d on signals."""

    centers_channels = True

    eps: Epsilon = 1e-5
    """Added to the variance for numerical stability."""
    momentum: UnitInterval | None = 0.1
    """Weight of a new batch in the running statistics; null averages all batches equally."""
    affine: bool = False
    """Learn a factor and an offset for each channel."""
    track_running_stats: bool = False
    """Use running statistics in evaluation; false uses those of the sample."""

    def build(self, input: Shape) -> nn.Module:
        module = _INSTANCE_NORMS[spatial_dims(input, kind=self.kind)]
        if max(input[1:]) == 1:
            message = f"cannot normalise a single value per channel, as in {describe_shape(input)}"
            raise config_fault(message, hint="use layer_norm, or put it before the pooling")
        return module(input[0], self.eps, self.momentum, self.affine, self.track_running_stats)


class LocalResponseNorm(Norm, kind="local_response_norm", short="size"):
    """Divide by the strength of neighbouring channels (Krizhevsky et al. 2012)."""

    formula = "x / ({k} + {alpha} · mean of x² over {size} channels)^{beta}"
    is_norm = False

    size: PositiveInt
    """Number of neighbouring channels."""
    alpha: Annotated[FiniteFloat, Field(ge=0)] = 1e-4
    """Factor on the sum of squares."""
    beta: FiniteFloat = 0.75
    """Exponent."""
    k: Annotated[FiniteFloat, Field(gt=0)] = 1.0
    """Added to the sum."""

    def build(self, input: Shape) -> nn.Module:
        spatial_dims(input, kind=self.kind)
        return nn.LocalResponseNorm(self.size, self.alpha, self.beta, self.k)

    def saved(self, input: Shape, output: Shape, *, learning: Collection[str]) -> Saved:
        # squares, with channels added, and two powers
        planes = 3 * input[0] + self.size - 1
        return Saved(input=True, beside=planes * prod(input[1:]) * NUMBER)
