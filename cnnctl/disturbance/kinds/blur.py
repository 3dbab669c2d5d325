"""Blur."""

from __future__ import annotations

from math import ceil

from torch import Tensor

from cnnctl.data.augmentations.filters import blurred, gaussian_kernels
from cnnctl.data.samples import Shape
from cnnctl.disturbance.disturbance import Disturbance, Sampled
from cnnctl.disturbance.units import Form

REACH = 3
"""Standard deviations that the filter extends to either side; 0.3 % are beyond."""


class Blur(Disturbance):
    """Blur with a Gaussian filter of this standard deviation; borders are mirrored."""

    kind = "blur"
    units = {"pictures": "sigma, pixels", "maps": "sigma, pixels"}

    def largest(self, shape: Shape, form: Form) -> float:
        return (min(shape[1:]) - 1) // REACH  # what mirrored borders suffice for

    def apply(self, batch: Sampled, strength: float) -> Tensor:
        size = 2 * ceil(REACH * strength) + 1
        sigma = batch.values.new_full((len(batch.values),), strength)
        return blurred(batch.values, gaussian_kernels(sigma, size=size))
