"""The colours of landscapes."""

from __future__ import annotations

import pytest
import torch

from cnnctl.plotting.colours import class_colours, on_scale, pixels, rgb
from tests.plotting.test_text import landscape


@pytest.mark.parametrize("count", [2, 10, 100])
def test_classes_have_colours_of_their_own(count: int) -> None:
    colours = class_colours(count)
    assert len(set(colours)) == count
    assert colours[:2] == class_colours(2)


def test_a_scale_begins_with_violet_and_ends_with_yellow() -> None:
    colours = on_scale(torch.tensor([-5.0, 0.0, 1.0, 2.0, float("nan")]), (0.0, 2.0)).tolist()
    assert colours == [[68, 1, 84], [68, 1, 84], [33, 145, 140], [253, 231, 37], [68, 1, 84]]


def test_a_region_is_white_where_classes_tie() -> None:
    found = landscape()
    assert found.answers is not None
    tied = pixels(
        type(found)("", found.axes, found.classes, "", torch.full((2, 2, 2), 0.5), found.samples)
    )
    certain = pixels(found)
    assert int(tied.min()) > 220
    colour = torch.tensor(rgb("#1f83c9"))
    assert certain[0, 0].tolist() == (255 + 0.62 * (colour - 255)).round().tolist()
