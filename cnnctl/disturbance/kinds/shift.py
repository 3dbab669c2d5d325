"""Shift."""

from __future__ import annotations

import torch
from torch import Tensor

from cnnctl.data.augmentations.warps import warped
from cnnctl.data.samples import Shape
from cnnctl.disturbance.disturbance import Disturbance, Sampled
from cnnctl.disturbance.units import Form


class Shift(Disturbance):
    """Shift each image up, down, left or right, and each signal forwards or backwards.

    What comes in is 0: black, or the mean. Fractions are interpolated.
    """

    kind = "shift"
    units = {"pictures": "pixels", "maps": "pixels", "signals": "time steps"}
    prefers_whole = True

    def largest(self, shape: Shape, form: Form) -> float:
        return min(shape[1:])

    def apply(self, batch: Sampled, strength: float) -> Tensor:
        is_signal = len(batch.shape) == 2
        images = batch.values[:, :, None] if is_signal else batch.values
        none, one = images.new_zeros(len(images)), images.new_ones(len(images))
        drawn = batch.chance.uniform(2)
        across = (drawn[:, 0] < 0.5) | is_signal
        distance = torch.where(drawn[:, 1] < 0.5, -strength, strength)
        right, down = torch.where(across, distance, none), torch.where(across, none, distance)
        black = images.new_zeros(())
        moved = warped(
            images, angle=none, right=right, down=down, scale=one, shear=none, black=black
        )
        return batch.units.clipped(moved).reshape(batch.values.shape)
