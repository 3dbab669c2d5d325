"""Pooling, on images (C, H, W) and on signals (C, L)."""

from collections.abc import Collection, Mapping
from math import prod

from torch import nn

from cnnctl.errors import config_fault
from cnnctl.model.layer import Saved, Shape, WithoutProducts, spatial_dims
from cnnctl.model.modules import GlobalAvgPool, GlobalMaxPool
from cnnctl.model.receptive_field import Window, binned, sliding
from cnnctl.model.window import (
    Padding,
    Sides,
    Size,
    check_window,
    padded,
    per_side,
    reach,
    show,
    windows,
)

Modules = Mapping[int, type[nn.Module]]

_MAX_POOLS: Modules = {1: nn.MaxPool1d, 2: nn.MaxPool2d}
_AVG_POOLS: Modules = {1: nn.AvgPool1d, 2: nn.AvgPool2d}
_ADAPTIVE_MAX_POOLS: Modules = {1: nn.AdaptiveMaxPool1d, 2: nn.AdaptiveMaxPool2d}
_ADAPTIVE_AVG_POOLS: Modules = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d}


POSITION = 8
"""Bytes of an int64, the position of a maximum."""


class Pool(WithoutProducts):
    """The traits of all pooling."""

    symbol = "p"
    role = "pooling"


class WindowPool(Pool):
    """Pooling in windows that slide over the input."""

    kernel_size: Size = 2
    """Window size, in pixels."""
    stride: Size | None = None
    """Stride, in pixels (default: kernel_size)."""
    padding: Padding = 0
    """Pixels added at each border, at most half of the window."""
    ceil_mode: bool = False
    """Round the output size up, so that the last window may extend beyond the border."""

    def window(self, input: Shape, output: Shape) -> Window | None:
        return sliding(self, len(input) - 1)

    def check(self, input: Shape, *, dilation: Size) -> int:
        """Check that the window fits the input; returns the number of sides."""
        dims = spatial_dims(input, kind=self.kind)
        kernel = per_side(self.kernel_size, dims, option="kernel_size")
        stride = per_side(self.stride or self.kernel_size, dims, option="stride")
        padding = per_side(self.padding, dims, option="padding")
        steps = per_side(dilation, dims, option="dilation")
        room = padded(input, padding)
        if self.ceil_mode:
            room = tuple(side + step - 1 for side, step in zip(room, stride, strict=True))
        check_window(input, kernel=kernel, dilation=steps, room=room)
        _check_padding(padding, kernel)  # without dilation, as in torch
        return dims

    def pooled(self, input: Shape, *, dilation: Size) -> Shape:
        """The output shape, counting windows as torch does, also with `ceil_mode`."""
        dims = len(input) - 1
        kernel, steps, stride, padding = (
            per_side(size, dims, option="kernel_size")
            for size in (self.kernel_size, dilation, self.stride or self.kernel_size, self.padding)
        )
        room, window = padded(input, padding), reach(kernel, steps)
        if not self.ceil_mode:
            return (input[0], *windows(room, window, stride))
        wider = tuple(space + step - 1 for space, step in zip(room, stride, strict=True))
        counts = zip(windows(wider, window, stride), input[1:], padding, stride, strict=True)
        # the last window has to start in the input or in the padding before it
        sides = ((n - 1 if (n - 1) * step >= side + pad else n) for n, side, pad, step in counts)
        return (input[0], *sides)


def _check_padding(padding: Sides, window: Sides) -> None:
    """Reject padding of more than half a window, which would leave windows empty."""
    most = tuple(side // 2 for side in window)
    if any(pad > half for pad, half in zip(padding, most, strict=True)):
        message = f"{show(padding)} is more than half the kernel size, {show(window)}"
        raise config_fault(message, hint=f"use padding <= {show(most)}", path=("padding",))


class MaxPool(WindowPool, kind="max_pool", short="kernel_size"):
    """Keep the largest value of each window: nn.MaxPool2d on images, nn.MaxPool1d on signals."""

    formula = "max of the window"
    dilation: Size = 1
    """Spacing between the pixels of a window."""

    def build(self, input: Shape) -> nn.Module:
        dims = self.check(input, dilation=self.dilation)
        return _MAX_POOLS[dims](
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
        )

    def infer(self, input: Shape) -> Shape | None:
        return self.pooled(input, dilation=self.dilation)

    def saved(self, input: Shape, output: Shape, *, learning: Collection[str]) -> Saved:
        return Saved(input=True, beside=prod(output) * POSITION)


class AvgPool(WindowPool, kind="avg_pool", short="kernel_size"):
    """Average each window: nn.AvgPool2d on images, nn.AvgPool1d on signals."""

    formula = "mean of the window"
    is_linear = True

    count_include_pad: bool = True
    """Include padding in the average."""

    def build(self, input: Shape) -> nn.Module:
        dims = self.check(input, dilation=1)
        return _AVG_POOLS[dims](
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            ceil_mode=self.ceil_mode,
            count_include_pad=self.count_include_pad,
        )

    def infer(self, input: Shape) -> Shape | None:
        return self.pooled(input, dilation=1)


class AdaptivePool(Pool):
    """Pooling with as many windows as the output size."""

    output_size: Size
    """Output size, in pixels."""

    def infer(self, input: Shape) -> Shape | None:
        return (input[0], *self._sides(len(input) - 1))

    def window(self, input: Shape, output: Shape) -> Window | None:
        return [binned(*sides) for sides in zip(input[1:], output[1:], strict=True)]

    def _sides(self, dims: int) -> Sides:
        return per_side(self.output_size, dims, option="output_size")


class AdaptiveMaxPool(AdaptivePool, kind="adaptive_max_pool", short="output_size"):
    """Max pooling to a given output size."""

    formula = "max of the window"

    def build(self, input: Shape) -> nn.Module:
        dims = spatial_dims(input, kind=self.kind)
        return _ADAPTIVE_MAX_POOLS[dims](self._sides(dims))

    def saved(self, input: Shape, output: Shape, *, learning: Collection[str]) -> Saved:
        return Saved(input=True, beside=prod(output) * POSITION)


class AdaptiveAvgPool(AdaptivePool, kind="adaptive_avg_pool", short="output_size"):
    """Average pooling to a given output size."""

    formula = "mean of the window"
    is_linear = True

    def build(self, input: Shape) -> nn.Module:
        dims = spatial_dims(input, kind=self.kind)
        return _ADAPTIVE_AVG_POOLS[dims](self._sides(dims))

    def saved(self, input: Shape, output: Shape, *, learning: Collection[str]) -> Saved:
        return Saved(input=max(output[1:]) > 1)  # a single window is a mean, which saves nothing


class GlobalAvg(Pool, kind="global_avg_pool"):
    """Average each channel: (C, H, W) becomes a vector (C,)."""

    formula = "mean of the channel"
    is_linear = True
    saves = Saved()

    def build(self, input: Shape) -> nn.Module:
        spatial_dims(input, kind=self.kind)
        return GlobalAvgPool()

    def infer(self, input: Shape) -> Shape | None:
        return input[:1]


class GlobalMax(Pool, kind="global_max_pool"):
    """Keep the largest value of each channel: (C, H, W) becomes a vector (C,)."""

    formula = "max of the channel"
    saves = Saved(input=True, output=True)

    def build(self, input: Shape) -> nn.Module:
        spatial_dims(input, kind=self.kind)
        return GlobalMaxPool()

    def infer(self, input: Shape) -> Shape | None:
        return input[:1]
