"""The base of disturbances: changes of inputs that have a strength.

A disturbance changes values in the units of `Units`. At strength 0 nothing is changed, which is
what `eval` measures, so `apply` is called for greater ones only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import ClassVar, Self

from torch import Tensor

from cnnctl.data.samples import Shape
from cnnctl.disturbance.attack import Gradient
from cnnctl.disturbance.chance import Chance
from cnnctl.disturbance.units import Form, Units


@dataclass(frozen=True, slots=True)
class Sampled:
    """A batch to disturb."""

    values: Tensor
    """(N, …), in units."""
    units: Units
    chance: Chance
    gradient: Gradient
    """The gradient of the loss for the targets of the batch."""

    @property
    def shape(self) -> Shape:
        """The shape of a sample."""
        return tuple(self.values.shape[1:])


class Disturbance(ABC):
    """A change of inputs that has a strength."""

    kind: ClassVar[str]
    """Its name on the command line."""
    units: ClassVar[Mapping[Form, str]]
    """The forms of inputs that it fits, and what its strength is measured in for each."""
    is_attack: ClassVar[bool] = False
    """Whether it follows the gradient of the loss."""
    is_whole: ClassVar[bool] = False
    """Whether strengths are whole numbers."""
    prefers_whole: ClassVar[bool] = False
    """Whether a range has whole steps."""

    def with_steps(self, steps: int) -> Self:
        """The same with so many steps of the attack, where it has any."""
        return self

    def largest(self, shape: Shape, form: Form) -> float:
        """The largest strength that makes sense for samples of this shape."""
        return inf

    @abstractmethod
    def apply(self, batch: Sampled, strength: float) -> Tensor:
        """The changed values of a batch, (N, …), within their bounds; strength is above 0."""
