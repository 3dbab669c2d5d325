"""Convolutions, on images (C, H, W) and on signals (C, L)."""

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from math import prod
from typing import Literal

from torch import nn

from cnnctl.config.bounds import PositiveInt
from cnnctl.errors import config_fault
from cnnctl.model.layer import (
    Saved,
    Shape,
    WeightedLayer,
    Width,
    describe_shape,
    size_of,
    spatial_dims,
)
from cnnctl.model.receptive_field import MOST_PHASES, Span, Window, first_padding, sliding
from cnnctl.model.window import Padding, Sides, Size, check_window, padded, per_side, reach, windows

_CONVS: Mapping[int, type[nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d}
_TRANSPOSED: Mapping[int, type[nn.Module]] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}


class Conv(WeightedLayer, kind="conv", short="out_channels"):
    """Convolve with learned kernels: nn.Conv2d on images, nn.Conv1d on signals."""

    formula = "W * x + b"
    role = "convolution"
    is_linear = True

    out_channels: Width
    """Number of output channels."""
    kernel_size: Size = 3
    """Kernel size, in pixels."""
    stride: Size = 1
    """Stride, in pixels."""
    padding: Padding | Literal["same", "valid"] = 0
    """Zeros added at each border; `same` keeps the size, `valid` adds none."""
    dilation: Size = 1
    """Spacing between the pixels of a kernel."""
    groups: PositiveInt = 1
    """Number of groups of channels, each convolved separately."""
    padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros"
    """Padding mode."""

    def build(self, input: Shape) -> nn.Module:
        dims = spatial_dims(input, kind="conv")
        _check_groups(self.groups, input[0], int(self.out_channels))
        self._check_window(input, dims)
        return _CONVS[dims](
            input[0],
            self.out_channels,
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            bias=self.bias,
            padding_mode=self.padding_mode,
        )

    def infer(self, input: Shape) -> Shape | None:
        sides = input[1:]
        if self.padding == "same":
            return (int(self.out_channels), *sides)
        kernel, dilation, stride = self._sizes(len(sides))
        window = reach(kernel, dilation)
        room = padded(input, self._pixels(window))
        return (int(self.out_channels), *windows(room, window, stride))

    def window(self, input: Shape, output: Shape) -> Window | None:
        return sliding(self, len(input) - 1)

    def multiply_adds(self, input: Shape, output: Shape) -> int | None:
        kernel, _, _ = self._sizes(len(input) - 1)
        return input[0] // self.groups * prod(kernel) * prod(output)

    def saved(self, input: Shape, output: Shape, *, learning: Collection[str]) -> Saved:
        if self.padding_mode == "zeros":
            return self.saves
        kernel, dilation, _ = self._sizes(len(input) - 1)
        before = first_padding(self.padding, reach(kernel, dilation)) or ()
        larger = (input[0], *padded(input, before))
        return Saved(input=self.padding_mode != "circular", beside=size_of(larger))

    @property
    def is_dense(self) -> bool:
        return self.groups == 1

    def _sizes(self, dims: int) -> tuple[Sides, Sides, Sides]:
        """Kernel, dilation and stride for each side."""
        return (
            per_side(self.kernel_size, dims, option="kernel_size"),
            per_side(self.dilation, dims, option="dilation"),
            per_side(self.stride, dims, option="stride"),
        )

    def _check_window(self, input: Shape, dims: int) -> None:
        kernel, dilation, stride = self._sizes(dims)
        if self.padding == "same" and max(stride) > 1:
            message = "same needs a stride of 1"
            raise config_fault(message, hint="use a number of pixels", path=("padding",))
        padding = self._pixels(reach(kernel, dilation))
        check_window(input, kernel=kernel, dilation=dilation, room=padded(input, padding))
        self._check_border(input, padding)

    def _pixels(self, window: Sides) -> Sides:
        """The padding at the end of each side that has more."""
        if self.padding == "same":
            return tuple(side // 2 for side in window)
        padding = 0 if self.padding == "valid" else self.padding
        return per_side(padding, len(window), option="padding")

    def _check_border(self, input: Shape, padding: Sides) -> None:
        """`circular` can add no more than the input holds; `reflect`, one pixel less."""
        less = {"circular": 0, "reflect": 1}.get(self.padding_mode)
        if less is None:
            return
        for pad, side in zip(padding, input[1:], strict=True):
            if pad > side - less:
                message = f"{self.padding_mode} cannot add {pad} pixels to {describe_shape(input)}"
                hint = f"use padding <= {side - less}, or padding_mode: zeros"
                raise config_fault(message, hint=hint, path=("padding",))


class ConvTranspose(WeightedLayer, kind="conv_transpose", short="out_channels"):
    """Transposed convolution: nn.ConvTranspose2d on images, nn.ConvTranspose1d on signals."""

    weighs_inputs = False
    formula = "W *ᵀ x + b"
    role = "convolution"
    is_linear = True

    out_channels: Width
    """Number of output channels."""
    kernel_size: Size = 3
    """Kernel size, in pixels."""
    stride: Size = 1
    """Stride in the output, in pixels."""
    padding: Padding = 0
    """Pixels removed at each border of the output."""
    output_padding: Padding = 0
    """Pixels added at the end of each side of the output."""
    groups: PositiveInt = 1
    """Number of groups of channels, each convolved separately."""
    dilation: Size = 1
    """Spacing between the pixels of a kernel."""

    def build(self, input: Shape) -> nn.Module:
        dims = spatial_dims(input, kind=self.kind)
        _check_groups(self.groups, input[0], int(self.out_channels))
        self._check_sides(input)
        return _TRANSPOSED[dims](
            input[0],
            self.out_channels,
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            groups=self.groups,
            bias=self.bias,
            dilation=self.dilation,
        )

    def infer(self, input: Shape) -> Shape | None:
        sides = (
            (side - 1) * stride - 2 * pad + (kernel - 1) * dilation + more + 1
            for side, (kernel, stride, dilation, pad, more) in self._by_side(input)
        )
        return (int(self.out_channels), *sides)

    def window(self, input: Shape, output: Shape) -> Window | None:
        return [
            _spread(kernel, stride, dilation, pad)
            for _, (kernel, stride, dilation, pad, _) in self._by_side(input)
        ]

    def multiply_adds(self, input: Shape, output: Shape) -> int | None:
        kernel = per_side(self.kernel_size, len(input) - 1, option="kernel_size")
        return output[0] // self.groups * prod(kernel) * prod(input)

    @property
    def is_dense(self) -> bool:
        return self.groups == 1

    def _by_side(self, input: Shape) -> Iterator[tuple[int, Sides]]:
        """Each side with its kernel, stride, dilation, padding and output padding."""
        names = ("kernel_size", "stride", "dilation", "padding", "output_padding")
        options = (per_side(getattr(self, name), len(input) - 1, option=name) for name in names)
        return zip(input[1:], zip(*options, strict=True), strict=True)

    def _check_sides(self, input: Shape) -> None:
        for _, (_, stride, dilation, _, more) in self._by_side(input):
            if more >= max(stride, dilation):
                message = f"{more} is not smaller than stride or dilation"
                hint = f"use output_padding <= {max(stride, dilation) - 1}"
                raise config_fault(message, hint=hint, path=("output_padding",))
        if min(self.infer(input) or ()) < 1:
            message = f"the output for {describe_shape(input)} is empty"
            raise config_fault(message, hint="use less padding", path=("padding",))


def _spread(kernel: int, stride: int, dilation: int, padding: int) -> Span | None:
    """The span of a transposed convolution along one side.

    Output o depends on pixel i if o + padding - i * stride is a position in the kernel. None if an
    output depends on no pixel, or on one before a pixel of the previous output.
    """
    places = range(0, kernel * dilation, dilation)
    if stride > min(len(places), MOST_PHASES):
        return None
    first = {place % stride: place for place in reversed(places[:stride])}
    last = {place % stride: place for place in places[-stride:]}
    if len(first) < stride:
        return None
    reached = ((at, at % stride) for at in range(padding, padding + stride))
    bounds = tuple(
        ((at - last[phase]) // stride, (at - first[phase]) // stride) for at, phase in reached
    )
    behind = (*bounds, (bounds[0][0] + 1, bounds[0][1] + 1))
    is_in_order = all(a <= c and b <= d for (a, b), (c, d) in pairwise(behind))
    return Span(bounds, 1) if is_in_order else None


def _check_groups(groups: int, in_channels: int, out_channels: int) -> None:
    for count, way in ((in_channels, "input"), (out_channels, "output")):
        if count % groups:
            noun = "channel" if count == 1 else "channels"
            message = f"{groups} does not divide the {count} {way} {noun}"
            hint = f"use a common divisor of {in_channels} and {out_channels}"
            raise config_fault(message, hint=hint, path=("groups",))
