"""The size that pictures of several sizes are brought to."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

SIDES = (32, 48, 64, 96, 128, 160, 192, 224)
"""Sides that pictures of different sizes are brought to."""
EXACT_SIDE = 256
"""Up to which pictures of one size keep it."""


def common_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The height and width for pictures of these: their own, or a square of a usual side.

    The side is the largest of 32, 48, …, 224 that the longer side of half of them has.
    """
    if len(set(sizes)) == 1 and max(sizes[0]) <= EXACT_SIDE:
        return sizes[0]
    longer = median(max(size) for size in sizes)
    side = max((side for side in SIDES if side <= longer), default=SIDES[0])
    return side, side
