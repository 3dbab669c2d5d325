"""The fast gradient sign method."""

from __future__ import annotations

from torch import Tensor

from cnnctl.data.samples import Shape
from cnnctl.disturbance.attack import fgsm
from cnnctl.disturbance.disturbance import Disturbance, Sampled
from cnnctl.disturbance.units import Form


class FGSM(Disturbance):
    """Move every value by epsilon in the direction that raises the loss: one step of an attack.

    Goodfellow et al., arXiv 1412.6572.
    """

    kind = "fgsm"
    units = {
        **{"pictures": "epsilon of 0..1", "maps": "epsilon, std"},
        **{"signals": "epsilon, std", "vectors": "epsilon, std"},
    }
    is_attack = True

    def largest(self, shape: Shape, form: Form) -> float:
        return 1 if form == "pictures" else float("inf")

    def apply(self, batch: Sampled, strength: float) -> Tensor:
        return fgsm(
            batch.values,
            batch.gradient,
            epsilon=strength,
            clip=batch.units.clipped,
            towards=False,
        )
