"""Convolutions, on images (C, H, W) and on signals (C, L)."""

from collections.abc import Collection, Mapping
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
from cnnctl.model.receptive_field import Window, first_padding, sliding
from cnnctl.model.window import Padding, Sides, Size, check_window, padded, per_side, reach, windows

_CONVS: Mapping[int, type[nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d}


class Conv(WeightedLayer, kind="conv", short="out_channels"):
    """Convolve with learned kernels: nn.Conv2d on images, nn.Conv1d on signals."""

    role = "convolution"
    is_linear = True

    out_channels: Width
    """Number of kernels, and of channels that come out."""
    kernel_size: Size = 3
    """Side of a kernel, in pixels."""
    stride: Size = 1
    """Pixels from one window to the next."""
    padding: Padding | Literal["same", "valid"] = 0
    """Pixels added at each border; `same` keeps the size, `valid` adds none."""
    dilation: Size = 1
    """Distance between the pixels of a kernel."""
    groups: PositiveInt = 1
    """Groups of channels that are convolved apart."""
    padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros"
    """What the added pixels hold."""

    def build(self, input: Shape) -> nn.Module:
        dims = spatial_dims(input, kind="conv")
        self._check_groups(input[0], int(self.out_channels))
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

    def _check_groups(self, in_channels: int, out_channels: int) -> None:
        for count, way in ((in_channels, "in"), (out_channels, "out")):
            if count % self.groups:
                message = f"{self.groups} does not divide the {count} channels that come {way}"
                hint = f"use a divisor of {in_channels} and {out_channels}"
                raise config_fault(message, hint=hint, path=("groups",))

    def _check_window(self, input: Shape, dims: int) -> None:
        kernel, dilation, stride = self._sizes(dims)
        if self.padding == "same" and max(stride) > 1:
            message = "same takes no stride above 1"
            raise config_fault(message, hint="give the padding as a number", path=("padding",))
        padding = self._pixels(reach(kernel, dilation))
        check_window(input, kernel=kernel, dilation=dilation, room=padded(input, padding))
        self._check_border(input, padding)

    def _pixels(self, window: Sides) -> Sides:
        """The padding at the longer end of each side."""
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
