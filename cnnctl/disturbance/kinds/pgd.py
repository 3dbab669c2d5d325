"""Projected gradient descent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor

from cnnctl.data.samples import Shape
from cnnctl.disturbance.attack import pgd
from cnnctl.disturbance.disturbance import Disturbance, Sampled
from cnnctl.disturbance.kinds.fgsm import FGSM
from cnnctl.disturbance.units import Form

STRIDE = 2.5
"""Epsilons that all steps together can move, as in Madry et al., appendix B: enough to reach the
border from any start."""


@dataclass(frozen=True)
class PGD(Disturbance):
    """Raise the loss in small steps, no value farther than epsilon from where it was, starting
    from a random point: the strongest of simple attacks.

    Madry et al., arXiv 1706.06083.
    """

    kind = "pgd"
    units = FGSM.units
    is_attack = True

    steps: int = 20

    def with_steps(self, steps: int) -> Self:
        return replace(self, steps=steps)

    def largest(self, shape: Shape, form: Form) -> float:
        return FGSM().largest(shape, form)

    def apply(self, batch: Sampled, strength: float) -> Tensor:
        return pgd(
            batch.values,
            batch.gradient,
            epsilon=strength,
            steps=self.steps,
            step_size=STRIDE * strength / self.steps,
            clip=batch.units.clipped,
            towards=False,
            start=2 * batch.chance.uniform(*batch.shape) - 1,
        )
