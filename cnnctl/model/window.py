"""Windows that slide over pixels: the kernels of convolutions and of pooling."""

from typing import Annotated, TypeVar

from pydantic import Field

from cnnctl.config.bounds import NonNegativeInt, PositiveInt
from cnnctl.config.wording import times
from cnnctl.errors import config_fault
from cnnctl.model.layer import Shape, channels

# with tuple[int, int], a list of one is reported as a missing option
TWO = Field(strict=False, min_length=2, max_length=2)

Size = PositiveInt | Annotated[tuple[PositiveInt, ...], TWO]
"""A side in pixels, or height and width."""
Padding = NonNegativeInt | Annotated[tuple[NonNegativeInt, ...], TWO]
"""Pixels at every border, or those above and below and those left and right."""
Sides = tuple[int, ...]
"""A number for each side of an input: (H, W) or (L,)."""

Number = TypeVar("Number", int, float)


def per_side(size: Number | tuple[Number, ...], dims: int, *, option: str) -> tuple[Number, ...]:
    """A number for each side: 3 is (3, 3) in two dimensions.

    Raises:
        FaultError: at `option`, two numbers for an input with one side.
    """
    if not isinstance(size, tuple):
        return (size,) * dims
    if len(size) != dims:
        message = f"{list(size)} has {len(size)} sizes, but a signal has one dimension"
        raise config_fault(message, hint="use one number", path=(option,))
    return size


def reach(kernel: Sides, dilation: Sides) -> Sides:
    """Extent of a dilated window, in pixels."""
    return tuple((k - 1) * step + 1 for k, step in zip(kernel, dilation, strict=True))


def check_window(input: Shape, *, kernel: Sides, dilation: Sides, room: Sides) -> None:
    """Check that a window fits the padded input.

    Raises:
        FaultError: at `kernel_size`.
    """
    reached = zip(reach(kernel, dilation), room, strict=True)
    if all(side <= space for side, space in reached):
        return
    fitting = [(space - 1) // step + 1 for space, step in zip(room, dilation, strict=True)]
    largest = min(fitting) if len(set(kernel)) == 1 else show(tuple(fitting))
    spread = f" with dilation {show(dilation)}" if max(dilation) > 1 else ""
    borders = f", {_by(room)} with padding" if room != input[1:] else ""
    message = f"{show(kernel)}{spread} does not fit an input of {_by(input[1:])}"
    raise config_fault(
        f"{message} with {channels(input)}{borders}",
        hint=f"use kernel_size <= {largest}, or add padding",
        path=("kernel_size",),
    )


def windows(room: Sides, window: Sides, stride: Sides) -> Sides:
    """Number of windows that fit: the formula of nn.Conv2d and nn.MaxPool2d."""
    return tuple(
        (space - side) // step + 1 for space, side, step in zip(room, window, stride, strict=True)
    )


def padded(input: Shape, padding: Sides) -> Sides:
    """The sides of an input with this padding at both ends of each."""
    return tuple(side + 2 * pad for side, pad in zip(input[1:], padding, strict=True))


def show(sides: Sides) -> str:
    """Sizes as written in a file: 3 for (3, 3), else [3, 5]."""
    return str(sides[0]) if len(set(sides)) == 1 else str(list(sides))


def _by(sides: Sides) -> str:
    return times(sides) if len(sides) > 1 else f"length {sides[0]}"
