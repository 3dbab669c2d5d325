"""Which network a data set of pictures gets, and for how many epochs: a rule of multiply-adds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any

from cnnctl.config.source import Place, from_plain
from cnnctl.experiment import complete
from cnnctl.inspection import gather

SECONDS = 12 * 60
"""Time that training should take."""
SPEED = 35e9
"""Multiply-adds a second of two CPU cores with AVX2, measured with ResNets at 32 pixels."""
PASSES = 3
"""A step costs so many forward passes."""
SMALL = 64
"""Side up to which the first layers keep the resolution."""
WIDTHS, LARGE_WIDTHS = (32, 24, 16, 12, 8), (64, 32, 16)
SIDES = (160, 128, 96)
"""Sides that large pictures are made smaller to."""
ENOUGH, AT_ENOUGH = 45_000, 9
"""So many pictures need so many epochs; fewer need more, by the root of their number."""
MOST_EPOCHS, FEWEST_EPOCHS = 60, 3


@dataclass(frozen=True, slots=True)
class Plan:
    """A network, the size of its inputs and the number of epochs."""

    model: dict[str, Any]
    size: tuple[int, int]
    """Height and width."""
    epochs: int
    multiply_adds: int
    """For one picture, forward."""
    minutes: float
    """For training on two CPU cores."""


def plan(size: tuple[int, int], channels: int, *, classes: int, samples: int) -> Plan:
    """The largest network that can be trained for enough epochs in the time there is."""
    enough = min(MOST_EPOCHS, max(AT_ENOUGH, round(AT_ENOUGH * sqrt(ENOUGH / samples))))
    for model, sides in _candidates(size):
        cost = _multiply_adds(model, (channels, *sides), classes)
        seconds = PASSES * cost * samples / SPEED
        if enough * seconds <= SECONDS:
            break
    epochs = max(FEWEST_EPOCHS, min(enough, int(SECONDS / seconds)))
    return Plan(model, sides, epochs, cost, epochs * seconds / 60)


def _candidates(size: tuple[int, int]) -> Iterator[tuple[dict[str, Any], tuple[int, int]]]:
    """Networks with the size of their inputs, the most expensive first."""
    if max(size) <= SMALL:
        for width in WIDTHS:
            yield {"zoo": "resnet18", "stem": "cifar", "width": width}, size
        return
    sizes = [size, *((side, side) for side in SIDES if side < min(size))]
    pairs = [(width, sides) for width in LARGE_WIDTHS for sides in sizes]
    for width, sides in sorted(pairs, key=lambda pair: -(pair[0] ** 2) * pair[1][0] * pair[1][1]):
        yield {"zoo": "resnet18", "width": width}, sides


def _multiply_adds(model: dict[str, Any], shape: tuple[int, ...], classes: int) -> int:
    data = {"name": "fake", "shape": list(shape), "classes": classes}
    experiment = complete(from_plain({"data": data, "model": model}, Place("proposal")), "proposal")
    return gather(experiment.plan, batch_size=1).multiply_adds
