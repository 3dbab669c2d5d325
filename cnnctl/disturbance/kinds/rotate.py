"""Rotation."""

from __future__ import annotations

from torch import Tensor

from cnnctl.data.augmentations.warps import warped
from cnnctl.data.samples import Shape
from cnnctl.disturbance.disturbance import Disturbance, Sampled
from cnnctl.disturbance.units import Form


class Rotate(Disturbance):
    """Rotate each image about its centre, clockwise or not; uncovered corners are black."""

    kind = "rotate"
    units = {"pictures": "degrees", "maps": "degrees"}

    def largest(self, shape: Shape, form: Form) -> float:
        return 180

    def apply(self, batch: Sampled, strength: float) -> Tensor:
        images = batch.values
        none, one = images.new_zeros(len(images)), images.new_ones(len(images))
        angle = strength * batch.chance.sign()
        black = images.new_zeros(())
        moved = warped(
            images, angle=angle, right=none, down=none, scale=one, shear=none, black=black
        )
        return batch.units.clipped(moved)
