"""Colours mean the numbers that the scale below a map says."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from cnnctl.drawing.bars import BAR, NAME, named_bars
from cnnctl.drawing.maps import (
    DIVERGING,
    RISING,
    RISING_ON_WHITE,
    Palette,
    Scale,
    heat,
    overlaid,
    stripes,
    with_scale,
)


def colour(hexadecimal: str) -> tuple[int, ...]:
    return tuple(int(hexadecimal[start : start + 2], 16) for start in (1, 3, 5))


def levels(scale: Scale, number: float) -> tuple[int, ...]:
    return tuple(scale.colours(torch.tensor(number)).mul(255).round().int().tolist())


@pytest.mark.parametrize("palette", [RISING, RISING_ON_WHITE, DIVERGING])
def test_the_ends_and_the_steps_of_a_palette(palette: Palette) -> None:
    scale = Scale(2.0, palette)
    for place, each in enumerate(palette):
        share = place / (len(palette) - 1)
        assert levels(scale, scale.lowest + share * (2 - scale.lowest)) == colour(each)
    assert levels(scale, 9.0) == colour(palette[-1])
    assert levels(scale, -9.0) == colour(palette[0])


def test_zero_is_white_where_numbers_have_signs_and_of_equal_strength_on_both_sides() -> None:
    assert levels(Scale(3.0, DIVERGING), 0.0) == colour("#f7f7f7")
    assert not Scale(3.0, DIVERGING).shares(torch.tensor([-3.0, 3.0])).sum()


def test_a_map_of_zeros_has_one_colour() -> None:
    flat = heat(torch.zeros(4, 4), Scale(0.0, RISING)).flatten(1)
    assert torch.equal(flat, flat[:, :1].expand(3, 16))
    assert levels(Scale(0.0, RISING), 0.0) == colour(RISING[0])


def test_where_a_map_is_zero_the_picture_shows() -> None:
    pixels = torch.rand(1, 2, 2, generator=torch.Generator().manual_seed(0))
    values = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    found = overlaid(pixels, values, Scale(1.0, RISING))
    assert torch.allclose(found[:, 1], pixels[:, 1].expand(3, 2))
    assert not torch.allclose(found[:, 0, 1], pixels[:, 0, 1].expand(3))


def test_the_scale_is_below_the_map_as_wide_and_in_its_colours() -> None:
    scale = Scale(1.0, DIVERGING)
    alone = stripes(torch.tensor([[-1.0, 1.0]]), scale)
    drawn = with_scale(alone, scale)
    assert drawn.width == alone.width
    assert drawn.crop((0, 0, *alone.size)).tobytes() == alone.tobytes()
    ends = [drawn.getpixel((x, alone.height + 4)) for x in (0, alone.width - 1)]
    assert ends == [colour(DIVERGING[0]), colour(DIVERGING[-1])]
    assert [alone.getpixel((x, 5)) for x in (0, alone.width - 1)] == ends


def filled(drawn: Image.Image, row: int) -> tuple[int, int]:
    """Where a bar begins and ends, from the beginning of all bars."""
    line = [drawn.getpixel((NAME + x, row * 18 + 5)) for x in range(BAR + 1)]
    inked = [x for x, each in enumerate(line) if each != (255, 255, 255)]
    return inked[0], inked[-1]


def test_bars_are_as_long_as_numbers_the_largest_first() -> None:
    drawn = named_bars(["a", "b", "c"], [1.0, -4.0, 2.0], is_signed=True)
    assert filled(drawn, 0) == (0, BAR // 2)
    assert filled(drawn, 1) == (BAR // 2, BAR // 2 + BAR // 4)
    assert filled(drawn, 2) == (BAR // 2, BAR // 2 + BAR // 8)
    many = named_bars(list(map(str, range(30))), [1.0] * 30, is_signed=False)
    assert many.height == 21 * 18  # and a line for the rest
