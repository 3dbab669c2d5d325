"""Lines and planes through a space of many dimensions, to draw a function on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnctl.errors import config_fault, data_fault, nearest


@dataclass(frozen=True, slots=True)
class Plane:
    """A plane through a space of D dimensions, or a line."""

    origin: Tensor
    """(D,)"""
    directions: Tensor
    """(2, D) of length 1 and at right angles; (1, D) for a line."""
    names: tuple[str, ...]
    """What to call the coordinates in the plane."""
    remark: str = ""
    """What it says of the other dimensions."""

    def points(self, places: Tensor) -> Tensor:
        """The points (N, D) at these places (N, 2)."""
        return self.origin + places @ self.directions

    def places(self, points: Tensor) -> Tensor:
        """The places (N, 2) that are nearest to these points (N, D)."""
        return (points - self.origin) @ self.directions.T


def along(axes: Sequence[int], names: Sequence[str], points: Tensor) -> Plane:
    """The plane along two axes of the space, or the line along one.

    All other coordinates are the medians of the points (N, D).
    """
    chosen = torch.tensor(list(axes))
    origin = points.median(dim=0).values.index_fill(0, chosen, 0.0)
    directions = torch.zeros(len(axes), points.shape[1])
    directions[torch.arange(len(axes)), chosen] = 1.0
    remark = _others(points.shape[1] - len(axes))
    return Plane(origin, directions, tuple(names[axis] for axis in axes), remark)


def _others(count: int) -> str:
    if count == 1:
        return "the other coordinate at its median"
    return f"{count:,} other coordinates at their medians" if count else ""


def through(points: Tensor, called: Sequence[str]) -> Plane:
    """The plane through three points (3, D); the first is its origin, the second is to its right.

    Raises:
        FaultError: they are on one line.
    """
    first, second, third = points.double()
    across, other = second - first, third - first
    length = across.norm()
    right = across / length
    upward = other - (other @ right) * right
    # rounding leaves this much of points on a line
    if not length or upward.norm() <= 1e-6 * other.norm():
        message = f"{', '.join(called)} are on one line, through which there are many planes"
        raise data_fault(message, hint="choose three other samples")
    directions = torch.stack([right, upward / upward.norm()]).float()
    names = f"toward {called[1]}", f"toward {called[2]}, at a right angle"
    return Plane(points[0], directions, names, f"the plane through {', '.join(called)}")


def principal(points: Tensor) -> Plane:
    """The plane of the two directions in which points (N, D) vary most, through their mean."""
    mean = points.double().mean(dim=0)
    _, spread, directions = torch.linalg.svd(points.double() - mean, full_matrices=False)
    if len(directions) < 2:
        message = "a single sample has no principal components"
        raise data_fault(message, hint="choose two coordinates with --features 0,1")
    shares = spread.square() / spread.square().sum().clamp_min(1e-30)
    # a direction and its opposite are equal: the largest component is positive
    largest = directions.abs().argmax(dim=1, keepdim=True)
    directions = directions * directions.gather(1, largest).sign()
    names = tuple(
        f"principal component {number + 1} ({float(shares[number]):.0%})" for number in range(2)
    )
    remark = "the samples are projected onto the plane in which they vary most"
    return Plane(mean.float(), directions[:2].float(), names, remark)


def numbers_of(words: Sequence[str], names: Sequence[str]) -> list[int]:
    """The positions of coordinates that are given by name, or by number from 0.

    Raises:
        FaultError: there are not two, or there is no such coordinate.
    """
    if len(words) != 2 or words[0] == words[1]:
        message = f"--features takes two different features, not {', '.join(words) or 'none'}"
        raise config_fault(message, hint="such as --features 0,3")
    return [_number_of(word, names) for word in words]


def _number_of(word: str, names: Sequence[str]) -> int:
    if word in names:
        return list(names).index(word)
    if word.isdecimal() and int(word) < len(names):
        return int(word)
    if word.isdecimal():
        hint = f"there are {len(names):,}, counted from 0"
        raise config_fault(f"--features: there is no feature {word}", hint=hint)
    known = list(names) if len(names) <= MOST_NAMES else []
    hint = nearest(word, known) or f"give numbers from 0 to {len(names) - 1:,}"
    raise config_fault(f"--features: there is no feature {word}", hint=hint)


MOST_NAMES = 1000
"""Names that a suggestion is looked for in."""
