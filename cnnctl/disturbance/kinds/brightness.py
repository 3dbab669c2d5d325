"""Brightness."""

from __future__ import annotations

from torch import Tensor

from cnnctl.data.augmentations.colors import adjust_brightness
from cnnctl.data.samples import Shape
from cnnctl.disturbance.disturbance import Disturbance, Sampled
from cnnctl.disturbance.units import Form


class Brightness(Disturbance):
    """Multiply pixels by 1 + strength or by 1 - strength, as the augmentation does, and clip them
    at white."""

    kind = "brightness"
    units = {"pictures": "|factor - 1|"}

    def largest(self, shape: Shape, form: Form) -> float:
        return 1

    def apply(self, batch: Sampled, strength: float) -> Tensor:
        return adjust_brightness(batch.values, 1 + strength * batch.chance.sign())
