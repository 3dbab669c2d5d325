"""Layers that change shape or order, without parameters."""

from collections.abc import Sequence
from math import floor, prod
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, model_validator
from torch import nn

from cnnctl.config.bounds import NonNegativeInt, PositiveInt
from cnnctl.config.choice import refusal
from cnnctl.errors import config_fault
from cnnctl.model.layer import (
    Saved,
    Shape,
    ShapeKeeper,
    WithoutProducts,
    check_divides,
    describe_shape,
    spatial_dims,
)
from cnnctl.model.modules import Chunk as ChunkModule
from cnnctl.model.modules import PadChannels as PadChannelsModule
from cnnctl.model.modules import Permute as PermuteModule
from cnnctl.model.receptive_field import OWN_PIXEL, Span, Window, upsampled
from cnnctl.model.window import TWO, Size, per_side

Borders = NonNegativeInt | Annotated[tuple[NonNegativeInt, ...], Field(strict=False)]
Factor = Annotated[FiniteFloat, Field(gt=0, le=10**6)]
Sizes = Annotated[tuple[PositiveInt, ...], Field(strict=False, min_length=2, max_length=3)]


class Moving(WithoutProducts):
    """The traits of layers that only move or blend values."""

    role = "shape"
    is_linear = True
    saves = Saved()


class View(Moving):
    """A layer whose output shares the memory of its input."""

    is_view = True


class Identity(ShapeKeeper, View, kind="identity"):
    """Change nothing."""

    def build(self, input: Shape) -> nn.Module:
        return nn.Identity()


class Flatten(View, kind="flatten"):
    """Flatten all values to a vector: (C, H, W) becomes (C * H * W,)."""

    start_dim: Annotated[int, Field(ge=1)] = 1
    """First dimension to flatten; the batch is 0."""
    end_dim: int = -1
    """Last dimension to flatten; -1 is the last."""

    def build(self, input: Shape) -> nn.Module:
        last = self.end_dim if self.end_dim >= 0 else len(input) + 1 + self.end_dim
        if not self.start_dim <= last <= len(input):
            message = f"there are no dimensions {self.start_dim} to {self.end_dim} in"
            raise config_fault(
                f"{message} {describe_shape(input)}", hint="use flatten without options"
            )
        return nn.Flatten(self.start_dim, self.end_dim)

    def infer(self, input: Shape) -> Shape | None:
        whole = (0, *input)
        last = range(len(whole))[self.end_dim]
        flat = prod(whole[self.start_dim : last + 1])
        return (*whole[1 : self.start_dim], flat, *whole[last + 1 :])


class Unflatten(View, kind="unflatten", short="unflattened_size"):
    """Reshape a vector to channels: (F,) becomes (C, L) or (C, H, W)."""

    unflattened_size: Sizes
    """Output shape, without the batch."""

    def build(self, input: Shape) -> nn.Module:
        if len(input) > 1 or prod(self.unflattened_size) != input[0]:
            message = f"{list(self.unflattened_size)} does not fit {describe_shape(input)}"
            hint = f"choose sizes whose product is {prod(input)}"
            raise config_fault(message, hint=hint, path=("unflattened_size",))
        return nn.Unflatten(1, self.unflattened_size)

    def infer(self, input: Shape) -> Shape | None:
        return self.unflattened_size


class Permute(View, kind="permute", short="dims"):
    """Reorder the dimensions: with [2, 3, 1], (C, H, W) becomes (H, W, C)."""

    dims: Annotated[tuple[PositiveInt, ...], Field(strict=False, min_length=1, max_length=3)]
    """Dimensions of the input in their new order; the batch is 0 and stays first."""

    def build(self, input: Shape) -> nn.Module:
        own = list(range(1, len(input) + 1))
        if sorted(self.dims) != own:
            message = f"{list(self.dims)} does not reorder {describe_shape(input)}"
            hint = f"name each of {own} once" if len(own) > 1 else "leave permute out"
            raise config_fault(message, hint=hint, path=("dims",))
        return PermuteModule(self.dims)

    def infer(self, input: Shape) -> Shape | None:
        return tuple(input[dim - 1] for dim in self.dims)

    def window(self, input: Shape, output: Shape) -> Window | None:
        is_same = list(self.dims) == sorted(self.dims)
        return [OWN_PIXEL] * len(input[1:]) if is_same else None


class ZeroPad(Moving, kind="zero_pad", short="padding"):
    """Pad with zeros: nn.ZeroPad2d on images, nn.ZeroPad1d on signals."""

    padding: Borders
    """Pixels at every border, or [left, right] of a signal, or [left, right, top, bottom]."""

    def build(self, input: Shape) -> nn.Module:
        dims = spatial_dims(input, kind=self.kind)
        if not isinstance(self.padding, int) and len(self.padding) != 2 * dims:
            message = f"{len(self.padding)} numbers do not fit {describe_shape(input)}"
            hint = "write one number, or [left, right" + (", top, bottom]" if dims == 2 else "]")
            raise config_fault(message, hint=hint, path=("padding",))
        module: type[nn.Module] = nn.ZeroPad2d if dims == 2 else nn.ZeroPad1d
        return module(self.padding)

    def infer(self, input: Shape) -> Shape | None:
        ends = zip(input[1:], self._ends(len(input) - 1), strict=True)
        return (input[0], *(before + side + after for side, (before, after) in ends))

    def window(self, input: Shape, output: Shape) -> Window | None:
        return [Span(((-before, -before),), 1) for before, _ in self._ends(len(input) - 1)]

    def _ends(self, dims: int) -> list[tuple[int, int]]:
        """The padding before and after each side."""
        ends = [self.padding] * 2 * dims if isinstance(self.padding, int) else list(self.padding)
        pairs = list(zip(ends[::2], ends[1::2], strict=True))
        return pairs[::-1]  # torch starts with the last side


class Upsample(Moving, kind="upsample", short="scale_factor"):
    """Upsample, by repeating or interpolating pixels."""

    size: Size | None = None
    """Output size, in pixels."""
    scale_factor: Factor | Annotated[tuple[Factor, ...], TWO] | None = None
    """Scale factor, instead of size."""
    mode: Literal["nearest", "nearest-exact", "linear", "bilinear", "bicubic"] = "nearest"
    """Interpolation; `linear` is for signals, `bilinear` and `bicubic` for images."""
    align_corners: bool | None = None
    """Align the corner pixels of input and output."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.size is None) == (self.scale_factor is None):
            hint = "write scale_factor: 2, or size: with the output size"
            raise refusal("upsample takes either size or scale_factor", hint=hint)
        if self.align_corners is not None and self.mode.startswith("nearest"):
            message = f"align_corners has no effect with mode={self.mode}"
            raise refusal(message, hint="leave it out")
        return self

    def build(self, input: Shape) -> nn.Module:
        dims = spatial_dims(input, kind=self.kind)
        self._check_mode(input, dims)
        self._check_size(input, dims)
        return nn.Upsample(self.size, self.scale_factor, self.mode, self.align_corners)

    def infer(self, input: Shape) -> Shape | None:
        dims = len(input) - 1
        if self.scale_factor is None:
            return (input[0], *per_side(self.size or 1, dims, option="size"))
        factors = per_side(self.scale_factor, dims, option="scale_factor")
        sides = zip(input[1:], factors, strict=True)
        return (input[0], *(floor(side * factor) for side, factor in sides))

    def window(self, input: Shape, output: Shape) -> Window | None:
        dims = len(input) - 1
        scale_factor = self.scale_factor
        scales: Sequence[float | None] = (
            per_side(scale_factor, dims, option="scale_factor") if scale_factor else [None] * dims
        )
        mode, corners = self.mode, bool(self.align_corners)
        return [
            upsampled(before, after, mode=mode, scale=scale, align_corners=corners)
            for before, after, scale in zip(input[1:], output[1:], scales, strict=True)
        ]

    def _check_mode(self, input: Shape, dims: int) -> None:
        fitting = ("linear",) if dims == 1 else ("bilinear", "bicubic")
        if self.mode not in ("nearest", "nearest-exact", *fitting):
            message = f"{self.mode} does not fit {describe_shape(input)}"
            hint = f"use nearest or {' or '.join(fitting)}"
            raise config_fault(message, hint=hint, path=("mode",))

    def _check_size(self, input: Shape, dims: int) -> None:
        if self.scale_factor is None:
            per_side(self.size or 1, dims, option="size")
            return
        factors = per_side(self.scale_factor, dims, option="scale_factor")
        if any(side * factor < 1 for side, factor in zip(input[1:], factors, strict=True)):
            message = f"the output for {describe_shape(input)} is empty"
            raise config_fault(message, hint="use a larger factor", path=("scale_factor",))


class PadChannels(Moving, kind="pad_channels", short="channels"):
    """Append channels of zeros (He et al. 2015, shortcut A)."""

    channels: PositiveInt
    """Number of output channels."""

    def build(self, input: Shape) -> nn.Module:
        spatial_dims(input, kind=self.kind)
        if self.channels < input[0]:
            message = f"{self.channels} is less than the {input[0]} input channels"
            raise config_fault(message, hint=f"use channels >= {input[0]}", path=("channels",))
        return PadChannelsModule(self.channels - input[0])

    def infer(self, input: Shape) -> Shape | None:
        return (self.channels, *input[1:])


class Chunk(View, kind="chunk", short="index"):
    """Split the channels into equal parts and keep one: torch.chunk."""

    index: NonNegativeInt
    """Index of the part, from 0."""
    chunks: PositiveInt = 2
    """Number of parts; must divide the channels."""

    @model_validator(mode="after")
    def _is_there(self) -> Self:
        if self.index >= self.chunks:
            message = f"index {self.index} is out of range for {self.chunks} chunks"
            raise refusal(message, hint=f"use index <= {self.chunks - 1}")
        return self

    def build(self, input: Shape) -> nn.Module:
        check_divides(self.chunks, input, option="chunks")
        return ChunkModule(self.chunks, self.index)

    def infer(self, input: Shape) -> Shape | None:
        return (input[0] // self.chunks, *input[1:])


class ChannelShuffle(ShapeKeeper, Moving, kind="channel_shuffle", short="groups"):
    """Mix channels of different groups (Zhang et al. 2017): nn.ChannelShuffle."""

    groups: PositiveInt
    """Number of groups; must divide the channels."""

    def build(self, input: Shape) -> nn.Module:
        spatial_dims(input, kind=self.kind)
        check_divides(self.groups, input, option="groups")
        return nn.ChannelShuffle(self.groups)
