"""Receptive fields: the part of the input that one output depends on.

Formulas: Araujo et al. 2019, https://distill.pub/2019/computing-receptive-fields. A field extends
into the padding, whose pixels count as input pixels, as in published tables. Statistics that a
normalisation computes over the whole image are ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd, lcm

MOST_PHASES = 4096
"""Number of outputs in a period above which a field counts as unknown."""

_HALF = Fraction(1, 2)

Bounds = tuple[int, int]
"""The first and the last pixel."""


@dataclass(frozen=True, slots=True)
class Span:
    """The pixels of the input that each output sees along one side.

    Output `n * len(bounds) + i` sees those within `bounds[i]`, shifted by `n * advance`. Pixel 0 is
    the first of the input; padding is negative. There are several bounds if the fields of
    neighbours differ by more than a shift, as after upsampling.
    """

    bounds: tuple[Bounds, ...]
    advance: int

    @property
    def size(self) -> int:
        """Maximum number of pixels that an output sees."""
        return max(last - first + 1 for first, last in self.bounds)

    @property
    def stride(self) -> Fraction:
        """Pixels from one output to the next."""
        return Fraction(self.advance, len(self.bounds))

    def of(self, output: int) -> Bounds:
        """The pixels that an output sees."""
        periods, phase = divmod(output, len(self.bounds))
        first, last = self.bounds[phase]
        return first + periods * self.advance, last + periods * self.advance

    def through(self, window: Span) -> Span | None:
        """The span after a layer whose own span, in pixels of its input, is `window`."""
        period = len(self.bounds)
        repeats = period // gcd(period, window.advance)  # until both periods start again together

        def seen(output: int) -> Bounds:
            first, last = window.of(output)
            return self.of(first)[0], self.of(last)[1]

        advance = repeats * window.advance // period * self.advance
        return _periodic(repeats * len(window.bounds), advance, seen)


Window = Sequence[Span | None]
"""A layer's own span along each side, in pixels of its input; None if it is unknown."""
OWN_PIXEL = Span(((0, 0),), 1)
"""Window of a layer whose outputs each see the input at the same position."""


def _periodic(period: int, advance: int, bounds_of: Callable[[int], Bounds]) -> Span | None:
    if period > MOST_PHASES:
        return None
    return Span(tuple(map(bounds_of, range(period))), advance)


def _union(spans: Sequence[Span]) -> Span | None:
    """The span of spans that are joined position by position; None if their strides differ."""
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
        """Maximum size by side, in pixels of the input."""
        return tuple(span.size for span in self.spans)

    @property
    def stride(self) -> tuple[float, ...]:
        """Distance to the next output's field by side, in pixels of the input."""
        strides = (span.stride for span in self.spans)
        return tuple(int(step) if step.denominator == 1 else float(step) for step in strides)

    @property
    def start(self) -> tuple[int, ...]:
        """First pixel of the first output's field by side; negative in the padding."""
        return tuple(span.of(0)[0] for span in self.spans)

    def through(self, window: Window | None) -> ReceptiveField | None:
        """The field after a layer with this window; None if it is unknown."""
        if window is None:
            return None
        pairs = zip(self.spans, window, strict=True)
        return _field([span and seen.through(span) for seen, span in pairs])


def one_pixel(sides: int) -> ReceptiveField | None:
    """The field of the input; a vector has no sides, and so no field."""
    return ReceptiveField((OWN_PIXEL,) * sides) if sides else None


def union(fields: Sequence[ReceptiveField | None]) -> ReceptiveField | None:
    """The field of joined outputs: everything they see, if their strides agree."""
    known = [field.spans for field in fields if field is not None]
    if not known or len(known) < len(fields):
        return None
    return _field([_union(spans) for spans in zip(*known, strict=True)])


def _field(spans: Sequence[Span | None]) -> ReceptiveField | None:
    known = tuple(span for span in spans if span is not None)
    return ReceptiveField(known) if len(known) == len(spans) else None


def sliding(layer: object, sides: int) -> list[Span] | None:
    """The window of a convolution or pooling, or of a module with the same attributes."""
    kernel, stride, dilation, padding = (
        getattr(layer, option, default)
        for option, default in (
            ("kernel_size", None), ("stride", None), ("dilation", 1), ("padding", 0),
        )
    )  # fmt: skip
    kernel, dilation = _per_side(kernel, sides), _per_side(dilation, sides)
    stride = kernel if stride is None else _per_side(stride, sides)
    if not (kernel and stride and dilation):
        return None
    window = [(side - 1) * step + 1 for side, step in zip(kernel, dilation, strict=True)]
    before = first_padding(padding, window)
    if before is None:
        return None
    return [
        Span(((-pad, side - 1 - pad),), step)
        for pad, side, step in zip(before, window, stride, strict=True)
    ]


def first_padding(padding: object, window: Sequence[int]) -> tuple[int, ...] | None:
    """The padding before the first pixel; `same` may add one more after the last."""
    if padding == "same":
        return tuple((side - 1) // 2 for side in window)
    return _per_side(0 if padding == "valid" else padding, len(window))


def _per_side(option: object, sides: int) -> tuple[int, ...] | None:
    """A number for each side; None if it is not an option of that form."""
    numbers = option if isinstance(option, tuple) else (option,) * sides
    known = tuple(number for number in numbers if isinstance(number, int))
    return known if len(known) == len(numbers) == sides else None


def binned(before: int, after: int) -> Span | None:
    """The window of adaptive pooling, whose bins overlap if they do not divide the side evenly."""
    ratio = Fraction(before, after)
    return _resampled(ratio, lambda n: (floor(n * ratio), ceil((n + 1) * ratio) - 1))


def upsampled(
    before: int, after: int, *, mode: str, scale: float | None, align_corners: bool
) -> Span | None:
    """The window of upsampling, as in torch.nn.functional.interpolate.

    Interpolation takes the two nearest pixels, or four in mode `bicubic`, but only one if the
    output coincides with it.
    """
    ratio = Fraction(before, after)
    offset = _HALF
    if align_corners and min(before, after) > 1:
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
