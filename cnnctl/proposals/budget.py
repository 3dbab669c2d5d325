"""Which network a dataset of pictures gets, and for how many epochs: a rule of multiply-adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from cnnctl.config.source import Place, from_plain
from cnnctl.experiment import complete
from cnnctl.inspection import gather
from cnnctl.proposals.machine import Machine

SECONDS = 12 * 60
"""Time that training should take."""
PASSES, FROZEN_PASSES = 3, 1
"""A step costs so many forward passes; the second if the backbone is frozen."""
SMALL = 64
"""Side up to which the first layers keep the resolution."""
SMALLEST = 8
"""Side from which on ResNet-9 can halve its inputs three times."""
RESNET9 = 0.5
"""How many times longer a multiply-add takes than in a ResNet of 18 layers: its few layers have
more channels, which keep the units of a CPU busy. In fp32 on two cores, it trained 1,025 pictures
of CIFAR-10 a second 16 channels wide, the other 507 with fewer multiply-adds."""
WIDTHS, LARGE_WIDTHS = (32, 24, 16, 12, 8), (64, 32, 16)
GPU_WIDTHS = (64, *WIDTHS)
SIDES = (160, 128, 96)
"""Sides that large pictures are made smaller to."""
ENOUGH, AT_ENOUGH, AT_ENOUGH_ON_GPU = 45_000, 15, 30
"""ENOUGH pictures need this many epochs; fewer need more, by the root of their number. Where time
does not matter, as on a GPU, more epochs help a little. On CIFAR-10, ResNet-9 reached 85.5 % 16
channels wide in 16 epochs, and in a third more time 85.4 % 24 wide in 10."""
LONGER = 1.3
"""Times as many epochs as are needed, if there is time for them."""
MOST_EPOCHS, FEWEST_EPOCHS = 60, 3
FROZEN_EPOCHS, ENOUGH_FROZEN = 20, 8
"""For a classifier on features that are learned already: at most, and to choose a network."""
PRETRAINED = {"resnet18": 1, "mobilenet_v3_small": 4}
"""torchvision's networks to start from, the best first, and how many times longer a multiply-add
takes than in a ResNet: depthwise convolutions do little with each number that they load."""
PRETRAINED_SIDE = 224
"""Side of the pictures that these networks were trained with."""


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
    """For training on the machine that it is for."""
    machine: Machine

    @property
    def is_pretrained(self) -> bool:
        """Whether only the classifier is trained, on features of ImageNet."""
        return "torchvision" in self.model


def plan(
    size: tuple[int, int], channels: int, *, outputs: int, samples: int, machine: Machine
) -> Plan:
    """The largest network that can be trained for enough epochs in the time there is."""
    usual = AT_ENOUGH_ON_GPU if machine.is_gpu else AT_ENOUGH
    enough = min(MOST_EPOCHS, max(usual, round(usual * sqrt(ENOUGH / samples))))
    for model, sides in _candidates(size, GPU_WIDTHS if machine.is_gpu else WIDTHS):
        cost = multiply_adds(model, (channels, *sides), outputs)
        seconds = PASSES * slowness(model) * cost * samples / machine.speed
        if enough * seconds <= SECONDS:
            break
    most = min(int(LONGER * enough), max(MOST_EPOCHS, enough))
    epochs = max(FEWEST_EPOCHS, min(most, int(SECONDS / seconds)))
    return Plan(model, sides, epochs, cost, epochs * seconds / 60, machine)


def pretrained_plan(name: str, *, outputs: int, samples: int, machine: Machine) -> Plan:
    """A torchvision network with a new classifier on a frozen backbone."""
    model = {"torchvision": name, "weights": "DEFAULT", "freeze": "backbone"}
    sides = (PRETRAINED_SIDE, PRETRAINED_SIDE)
    cost = multiply_adds({"torchvision": name}, (3, *sides), outputs)
    seconds = FROZEN_PASSES * PRETRAINED[name] * cost * samples / machine.speed
    epochs = max(FEWEST_EPOCHS, min(FROZEN_EPOCHS, int(SECONDS / seconds)))
    return Plan(model, sides, epochs, cost, epochs * seconds / 60, machine)


def slowness(model: Mapping[str, Any]) -> float:
    """How many times longer a multiply-add takes than in a ResNet of 18 layers."""
    return RESNET9 if model["zoo"] == "resnet9" else 1


def _candidates(
    size: tuple[int, int], widths: tuple[int, ...]
) -> Iterator[tuple[dict[str, Any], tuple[int, int]]]:
    """Networks with the size of their inputs, the most expensive first."""
    if max(size) <= SMALL:
        is_halved = min(size) >= SMALLEST
        small = {"zoo": "resnet9"} if is_halved else {"zoo": "resnet18", "stem": "cifar"}
        for width in widths:
            yield {**small, "width": width}, size
        return
    sizes = [size, *((side, side) for side in SIDES if side < min(size))]
    pairs = [(width, sides) for width in LARGE_WIDTHS for sides in sizes]
    for width, sides in sorted(pairs, key=lambda pair: -(pair[0] ** 2) * pair[1][0] * pair[1][1]):
        yield {"zoo": "resnet18", "width": width}, sides


def multiply_adds(model: Mapping[str, Any], shape: Sequence[int], outputs: int) -> int:
    """Of a forward pass of one sample of this shape: (C, H, W), or (C, L) of signals."""
    data = {"name": "fake", "shape": list(shape), "classes": max(2, outputs)}
    experiment = complete(
        from_plain({"data": data, "model": dict(model)}, Place("proposal")), "proposal"
    )
    return gather(experiment.plan, batch_size=1).multiply_adds
