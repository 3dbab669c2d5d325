"""The units that strengths are measured in: pixels from 0 to 1, or standard deviations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

from cnnctl.data.normalization import Levels, normalization_of
from cnnctl.trained import TrainedNetwork

Form = Literal["pictures", "maps", "signals", "vectors"]
"""Images of pixels (C, H, W), images of other numbers, signals (C, L), vectors (F,)."""


def form_of(trained: TrainedNetwork) -> Form:
    """The form of a network's inputs."""
    data = trained.experiment.data
    if data.has_pixels:
        return "pictures"
    forms: tuple[Form, ...] = ("vectors", "signals", "maps")
    return forms[len(data.whole().shape) - 1]


@dataclass(frozen=True, slots=True)
class Units:
    """Converts between the inputs of a network, which are normalised, and values in units.

    Pixels are from 0 (black) to 1 (white). All other values count standard deviations of their
    channel or feature, and have no bounds.
    """

    levels: Levels
    """The inputs for the values 0 and 1, (C, 1, …) each."""
    is_bounded: bool
    """Whether values are from 0 to 1."""

    @classmethod
    def of(cls, trained: TrainedNetwork, blocks: Iterable[Tensor]) -> Self:
        """The units of a network's inputs.

        Where nothing is normalised, standard deviations are those of these inputs (N, …).
        """
        data = trained.experiment.data
        shape = data.whole().shape
        levels = trained.preprocessing.levels(1 + len(shape), shape[0])
        if not data.has_pixels:
            zero = torch.zeros_like(levels.black)
            std = [1.0] * shape[0] if data.normalize else normalization_of(blocks).std
            levels = Levels(zero, torch.tensor(std).view_as(zero))
        return cls(levels.to(trained.device), data.has_pixels)

    def values(self, inputs: Tensor) -> Tensor:
        """Inputs of the network in these units; (N, …) in and out."""
        return self.clipped(self.levels.undone(inputs))

    def inputs(self, values: Tensor) -> Tensor:
        """Values in these units as the network takes them; (N, …) in and out."""
        return self.levels.normalized(values)

    def clipped(self, values: Tensor) -> Tensor:
        """The nearest values within the bounds."""
        return values.clamp(0, 1) if self.is_bounded else values
