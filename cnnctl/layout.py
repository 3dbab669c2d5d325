"""The names of tensors in a checkpoint: `part.name`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Part(StrEnum):
    """The parts of a checkpoint, which prefix the name of every tensor."""

    MODEL = "model"
    AVERAGE = "average"
    OPTIMIZER = "optimizer"
    RANDOM = "random"
    TALLY = "tally"
    REGRESSORS = "regressors"


RANDOM_CPU, RANDOM_CUDA = f"{Part.RANDOM}.cpu", f"{Part.RANDOM}.cuda"


def of_rank(name: str, rank: int) -> str:
    """The name of a tensor of one of several ranks; that of rank 0 has no number."""
    return f"{name}.{rank}" if rank else name


def part_of(name: str) -> str:
    """The first component of a tensor's name; in a cnnctl checkpoint, a `Part`."""
    return name.partition(".")[0]


def named(part: Part, tensors: Mapping[str, T]) -> dict[str, T]:
    """The tensors by their names in a checkpoint."""
    return {f"{part}.{name}": tensor for name, tensor in tensors.items()}


def under(part: Part, tensors: Mapping[str, T]) -> dict[str, T]:
    """The tensors of a part, by their names in it."""
    start = f"{part}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def evaluated(tensors: Mapping[str, T]) -> dict[str, T]:
    """The weights for evaluation: the averaged ones, if any."""
    return under(Part.AVERAGE, tensors) or under(Part.MODEL, tensors)
