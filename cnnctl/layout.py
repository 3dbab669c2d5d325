"""How the tensors of a checkpoint are named: `part.name`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Part(StrEnum):
    """The parts of a checkpoint, with which the name of every tensor begins."""

    MODEL = "model"
    AVERAGE = "average"
    OPTIMIZER = "optimizer"
    RANDOM = "random"
    TALLY = "tally"


RANDOM_CPU, RANDOM_CUDA = f"{Part.RANDOM}.cpu", f"{Part.RANDOM}.cuda"


def part_of(name: str) -> str:
    """What the name of a tensor begins with; a `Part`, in a checkpoint of cnnctl."""
    return name.partition(".")[0]


def named(part: Part, tensors: Mapping[str, T]) -> dict[str, T]:
    """The tensors by the names that they have in a checkpoint."""
    return {f"{part}.{name}": tensor for name, tensor in tensors.items()}


def under(part: Part, tensors: Mapping[str, T]) -> dict[str, T]:
    """The tensors of a part, by their own names."""
    start = f"{part}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def evaluated(tensors: Mapping[str, T]) -> dict[str, T]:
    """The weights to evaluate with: the averaged ones where there are some."""
    return under(Part.AVERAGE, tensors) or under(Part.MODEL, tensors)
