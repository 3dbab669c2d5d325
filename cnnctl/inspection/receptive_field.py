"""The part of the input that one number of an output sees.

Formulas: Araujo et al. 2019, https://distill.pub/2019/computing-receptive-fields. Padding does not
count, nor what a normalisation measures over the whole image: published tables leave both out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from torch import nn

from cnnctl.model.layer import Shape
from cnnctl.model.window import per_side, reach

_ADAPTIVE = (
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool1d,
    nn.AdaptiveMaxPool2d,
)
_UPSAMPLING_REACH = {"nearest": 1, "nearest-exact": 1, "linear": 2, "bilinear": 2, "bicubic": 4}


@dataclass(frozen=True, slots=True)
class Field:
    """How large a receptive field is and how far its neighbour's; by side, in input pixels."""

    size: tuple[float, ...]
    stride: tuple[float, ...]

    def through(self, window: Field) -> Field:
        """The field behind a layer whose own field, counted in pixels of its input, is `window`."""
        sides = zip(self.size, window.size, self.stride, strict=True)
        size = tuple(before + (pixels - 1) * step for before, pixels, step in sides)
        strides = zip(self.stride, window.stride, strict=True)
        return Field(size, tuple(before * step for before, step in strides))


def one_pixel(input: Shape) -> Field | None:
    """The field in front of the first layer; a vector (F,) has no sides and so no field."""
    sides = len(input) - 1
    return Field((1,) * sides, (1,) * sides) if sides else None


def field_after(
    module: nn.Module, before: Field | None, *, input: Shape, output: Shape
) -> Field | None:
    """The field behind a module that makes an `output` of an `input`, shapes without the batch.

    Nothing behind flatten and in vectors, where numbers have no place, nor behind a module that
    changes the sides in a way not known here.
    """
    if before is None or len(output) != len(input):
        return None
    window = _window(module, input, output)
    return before.through(window) if window else None


def widest(fields: Sequence[Field | None]) -> Field | None:
    """The field where ways meet: the largest, if their strides agree."""
    known = [field for field in fields if field is not None]
    if len(known) < len(fields) or len({field.stride for field in known}) != 1:
        return None
    sizes = zip(*(field.size for field in known), strict=True)
    return Field(tuple(map(max, sizes)), known[0].stride)


def _window(module: nn.Module, input: Shape, output: Shape) -> Field | None:
    sides = len(input) - 1
    if hasattr(module, "kernel_size") and hasattr(module, "stride"):
        return _of_kernel(module, sides)
    if isinstance(module, _ADAPTIVE):
        pairs = list(zip(input[1:], output[1:], strict=True))
        return Field(tuple(_largest_bin(*p) for p in pairs), tuple(_ratio(*p) for p in pairs))
    if isinstance(module, nn.Upsample):
        stride = tuple(map(_ratio, input[1:], output[1:]))
        return Field((_UPSAMPLING_REACH[module.mode],) * sides, stride)
    if isinstance(module, nn.ZeroPad1d | nn.ZeroPad2d) or input[1:] == output[1:]:
        return one_pixel(input)
    return None


def _of_kernel(module: nn.Module, sides: int) -> Field:
    """Of a convolution or a pooling, or whatever else names its window as they do."""
    kernel, stride, dilation = (
        per_side(getattr(module, option, 1), sides, option=option)
        for option in ("kernel_size", "stride", "dilation")
    )
    return Field(reach(kernel, dilation), stride)


def _largest_bin(pixels: int, bins: int) -> int:
    """Adaptive pooling cuts a side in bins that overlap where it does not divide evenly."""
    return max(ceil((i + 1) * pixels / bins) - floor(i * pixels / bins) for i in range(bins))


def _ratio(pixels: int, outputs: int) -> float:
    return pixels / outputs if pixels % outputs else pixels // outputs
