"""The part of the input that one number of an output sees.

Formulas: Araujo et al. 2019, https://distill.pub/2019/computing-receptive-fields. A field reaches
into the padding, whose pixels count as those of the input: published tables count them, too. What
a normalisation measures over the whole image is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd, lcm

from torch import nn

from cnnctl.inspection.cost import TRANSPOSED
from cnnctl.model.layer import Shape
from cnnctl.model.window import reach

MOST_PHASES = 4096
"""Outputs of a period, above which a field counts as unknown."""

_ADAPTIVE = (
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool1d,
    nn.AdaptiveMaxPool2d,
)
_HALF = Fraction(1, 2)

Bounds = tuple[int, int]
"""The first and the last pixel."""


@dataclass(frozen=True, slots=True)
class Span:
    """The pixels of the input that each output sees along one side.

    Output `n * len(bounds) + i` sees those within `bounds[i]`, moved on by `n * advance`. Pixel 0
    is the first of the input; padding lies before it. There are several bounds where neighbours
    differ in more than their place, as behind upsampling.
    """

    bounds: tuple[Bounds, ...]
    advance: int

    @property
    def size(self) -> int:
        """The pixels that an output sees, at most."""
        return max(last - first + 1 for first, last in self.bounds)

    @property
    def stride(self) -> Fraction:
        """The pixels from one output to the next."""
        return Fraction(self.advance, len(self.bounds))

    def of(self, output: int) -> Bounds:
        """What an output sees."""
        periods, phase = divmod(output, len(self.bounds))
        first, last = self.bounds[phase]
        return first + periods * self.advance, last + periods * self.advance

    def through(self, window: Span) -> Span | None:
        """The span behind a layer whose own span, in pixels of what it gets, is `window`."""
        period = len(self.bounds)
        repeats = period // gcd(period, window.advance)  # until both begin anew together

        def seen(output: int) -> Bounds:
            first, last = window.of(output)
            return self.of(first)[0], self.of(last)[1]

        advance = repeats * window.advance // period * self.advance
        return _periodic(repeats * len(window.bounds), advance, seen)


def _periodic(period: int, advance: int, bounds_of: Callable[[int], Bounds]) -> Span | None:
    if period > MOST_PHASES:
        return None
    return Span(tuple(map(bounds_of, range(period))), advance)


def _union(spans: Sequence[Span]) -> Span | None:
    """What outputs see that are joined position by position; None where their strides differ."""
    stride = spans[0].stride
    if any(span.stride != stride for span in spans):
        return None
    period = lcm(*(len(span.bounds) for span in spans))

    def seen(output: int) -> Bounds:
        firsts, lasts = zip(*(span.of(output) for span in spans), strict=True)
        return min(firsts), max(lasts)

    return _periodic(period, int(period * stride), seen)


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """A receptive field: a span for each side, (H, W) or (L,)."""

    spans: tuple[Span, ...]

    @property
    def size(self) -> tuple[int, ...]:
        """The largest there is, by side, in pixels of the input."""
        return tuple(span.size for span in self.spans)

    @property
    def stride(self) -> tuple[float, ...]:
        """How far the next output's field is, by side, in pixels of the input."""
        strides = (span.stride for span in self.spans)
        return tuple(int(step) if step.denominator == 1 else float(step) for step in strides)

    @property
    def start(self) -> tuple[int, ...]:
        """Where the first output's field begins, by side; below 0 in the padding."""
        return tuple(span.of(0)[0] for span in self.spans)


def one_pixel(input: Shape) -> ReceptiveField | None:
    """The field in front of the first layer; a vector (F,) has no sides and so no field."""
    sides = len(input) - 1
    return ReceptiveField((Span(((0, 0),), 1),) * sides) if sides else None


def field_after(
    module: nn.Module, before: ReceptiveField | None, *, input: Shape, output: Shape
) -> ReceptiveField | None:
    """The field behind a module that makes an `output` of an `input`, shapes without the batch.

    Nothing behind flatten and in vectors, where numbers have no place, nor behind a module that
    changes the sides in a way not known here.
    """
    if before is None or len(output) != len(input):
        return None
    window = _window(module, input, output)
    if window is None:
        return None
    pairs = zip(before.spans, window, strict=True)
    return _field([span and seen.through(span) for seen, span in pairs])


def union(fields: Sequence[ReceptiveField | None]) -> ReceptiveField | None:
    """The field where outputs are joined: all that they see, if their strides agree."""
    known = [field.spans for field in fields if field is not None]
    if not known or len(known) < len(fields):
        return None
    return _field([_union(spans) for spans in zip(*known, strict=True)])


def _field(spans: Sequence[Span | None]) -> ReceptiveField | None:
    known = tuple(span for span in spans if span is not None)
    return ReceptiveField(known) if len(known) == len(spans) else None


def _window(module: nn.Module, input: Shape, output: Shape) -> Sequence[Span | None] | None:
    """The module's own span of each side."""
    sides = len(input) - 1
    if isinstance(module, TRANSPOSED):
        return None
    if hasattr(module, "kernel_size") and hasattr(module, "stride"):
        return _of_kernel(module, sides)
    pairs = list(zip(input[1:], output[1:], strict=True))
    if isinstance(module, _ADAPTIVE):
        return [_of_bins(Fraction(*pair)) for pair in pairs]
    if isinstance(module, nn.Upsample):
        return _of_upsampling(module, pairs)
    if isinstance(module, nn.ZeroPad1d | nn.ZeroPad2d):
        before = module.padding[::2][::-1]  # torch begins with the last side
        return [Span(((-pad, -pad),), 1) for pad in before]
    return [Span(((0, 0),), 1)] * sides if input[1:] == output[1:] else None


def _of_kernel(module: nn.Module, sides: int) -> list[Span] | None:
    """Of a convolution or a pooling, or whatever else names its window as they do."""
    kernel, stride, dilation = (
        _per_side(getattr(module, option, 1), sides)
        for option in ("kernel_size", "stride", "dilation")
    )
    if not (kernel and stride and dilation):
        return None
    window = reach(kernel, dilation)
    padding = _before(getattr(module, "padding", 0), window)
    if padding is None:
        return None
    return [
        Span(((-pad, side - 1 - pad),), step)
        for pad, side, step in zip(padding, window, stride, strict=True)
    ]


def _before(padding: object, window: tuple[int, ...]) -> tuple[int, ...] | None:
    """The pixels that are added before the first; `same` adds one more behind the last, if any."""
    if padding == "same":
        return tuple((side - 1) // 2 for side in window)
    return _per_side(0 if padding == "valid" else padding, len(window))


def _per_side(option: object, sides: int) -> tuple[int, ...] | None:
    """A number for each side; None of what is no such option of torch's."""
    numbers = option if isinstance(option, tuple) else (option,) * sides
    known = tuple(number for number in numbers if isinstance(number, int))
    return known if len(known) == len(numbers) == sides else None


def _of_bins(ratio: Fraction) -> Span | None:
    """Of adaptive pooling, whose bins overlap where they do not divide the side evenly."""
    return _resampled(ratio, lambda n: (floor(n * ratio), ceil((n + 1) * ratio) - 1))


def _of_upsampling(module: nn.Upsample, pairs: Sequence[tuple[int, int]]) -> list[Span | None]:
    scales = module.scale_factor
    each = scales if isinstance(scales, tuple) else (scales,) * len(pairs)
    return [
        _of_scale(module.mode, pair, scale, align_corners=bool(module.align_corners))
        for pair, scale in zip(pairs, each, strict=True)
    ]


def _of_scale(
    mode: str, sides: tuple[int, int], scale: float | None, *, align_corners: bool
) -> Span | None:
    """Of upsampling from one side to the other: which pixels torch.nn.functional.interpolate takes.

    Blending takes the two nearest pixels, or four in the mode `bicubic`; only one where an output
    lies upon it.
    """
    before, after = sides
    ratio = Fraction(before, after)
    offset = _HALF
    if align_corners and min(sides) > 1:
        ratio, offset = Fraction(before - 1, after - 1), Fraction(0)
    elif scale is not None:
        ratio = (1 / Fraction(scale)).limit_denominator(MOST_PHASES)
    if mode == "nearest":
        return _resampled(ratio, lambda n: (floor(n * ratio),) * 2)
    if mode == "nearest-exact":
        return _resampled(ratio, lambda n: (floor((n + _HALF) * ratio),) * 2)
    further = 1 if mode == "bicubic" else 0

    def blended(output: int) -> Bounds:
        place = (output + offset) * ratio - offset
        beyond = further if place.denominator > 1 else 0
        return floor(place) - beyond, ceil(place) + beyond

    return _resampled(ratio, blended)


def _resampled(ratio: Fraction, bounds_of: Callable[[int], Bounds]) -> Span | None:
    return _periodic(ratio.denominator, ratio.numerator, bounds_of)
