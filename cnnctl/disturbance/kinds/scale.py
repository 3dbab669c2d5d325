"""Scaling."""

from __future__ import annotations

from torch import Tensor

from cnnctl.data.augmentations.warps import warped
from cnnctl.data.samples import Shape
from cnnctl.disturbance.disturbance import Disturbance, Sampled
from cnnctl.disturbance.units import Form


class Scale(Disturbance):
    """Enlarge each image by 1 + strength about its centre, or shrink it by as much; uncovered
    pixels are black."""

    kind = "scale"
    units = {"pictures": "factor - 1", "maps": "factor - 1"}

    def largest(self, shape: Shape, form: Form) -> float:
        return min(shape[1:]) - 1

    def apply(self, batch: Sampled, strength: float) -> Tensor:
        images = batch.values
        none = images.new_zeros(len(images))
        scale = (1 + strength) ** batch.chance.sign()
        black = images.new_zeros(())
        moved = warped(
            images, angle=none, right=none, down=none, scale=scale, shear=none, black=black
        )
        return batch.units.clipped(moved)
