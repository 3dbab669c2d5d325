"""Contrast."""

from __future__ import annotations

from torch import Tensor

from cnnctl.data.augmentations.values import stretched
from cnnctl.data.samples import Shape
from cnnctl.disturbance.disturbance import Disturbance, Sampled
from cnnctl.disturbance.units import Form


class Contrast(Disturbance):
    """Stretch each channel about its mean by 1 + strength or by 1 - strength, as the augmentation
    does, and clip it."""

    kind = "contrast"
    units = {"pictures": "|factor - 1|"}

    def largest(self, shape: Shape, form: Form) -> float:
        return 1

    def apply(self, batch: Sampled, strength: float) -> Tensor:
        mean = batch.values.mean(dim=(2, 3), keepdim=True)
        factor = 1 + strength * batch.chance.sign()
        return batch.units.clipped(stretched(batch.values, factor=factor, about=mean))
