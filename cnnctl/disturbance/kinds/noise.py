"""Noise."""

from __future__ import annotations

from torch import Tensor

from cnnctl.disturbance.disturbance import Disturbance, Sampled


class Noise(Disturbance):
    """Add Gaussian noise to every value; strength is its standard deviation."""

    kind = "noise"
    units = {"pictures": "std of 0..1", "maps": "std", "signals": "std", "vectors": "std"}

    def apply(self, batch: Sampled, strength: float) -> Tensor:
        return batch.units.clipped(batch.values + strength * batch.chance.normal(*batch.shape))
