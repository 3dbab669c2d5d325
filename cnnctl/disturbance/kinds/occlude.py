"""Occlusion."""

from __future__ import annotations

from torch import Tensor

from cnnctl.data.augmentations.boxes import boxes
from cnnctl.data.samples import Shape
from cnnctl.disturbance.disturbance import Disturbance, Sampled
from cnnctl.disturbance.units import Form


class Occlude(Disturbance):
    """Cover a square of this side somewhere in each image with the image's mean colour."""

    kind = "occlude"
    units = {"pictures": "side, pixels", "maps": "side, pixels"}
    is_whole = True
    prefers_whole = True

    def largest(self, shape: Shape, form: Form) -> float:
        return min(shape[1:])

    def apply(self, batch: Sampled, strength: float) -> Tensor:
        _, height, width = batch.shape
        drawn, side = batch.chance.uniform(2), round(strength)
        top = (drawn[:, 0] * (height - side + 1)).floor()
        left = (drawn[:, 1] * (width - side + 1)).floor()
        covered = boxes(height, width, top=top, bottom=top + side, left=left, right=left + side)
        mean = batch.values.mean(dim=(2, 3), keepdim=True)
        return mean.where(covered, batch.values)
