"""The facts of a trace. Tensors are of one sample, without the batch, on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from cnnctl.optim.working import LossWorking, Term
from cnnctl.tracing.layers import Role
from cnnctl.tracing.units import UnitWorking


@dataclass(frozen=True, slots=True)
class Row:
    """A tensor of the forward or the backward pass."""

    layer: str
    symbol: str
    """What the tensor is called: z, a, delta."""
    formula: str
    """How it is computed; empty if only the shape changes."""
    value: Tensor
    role: Role = "output"


@dataclass(frozen=True, slots=True)
class LossFacts:
    """The loss of a task."""

    task: str
    """The name of the head; empty without heads."""
    kind: str
    weight: float
    """Its weight in the total loss."""
    value: float
    target: Tensor
    """(outputs,), or a class."""
    target_name: str
    """The name of the class; empty for other targets."""
    working: LossWorking


@dataclass(frozen=True, slots=True)
class Penalty:
    """A penalty that is added to the loss."""

    name: str
    formula: str
    value: float


@dataclass(frozen=True, slots=True)
class Clipping:
    """What clipping did to the gradients."""

    formula: str
    before: float
    """The norm, or the largest absolute value, of all gradients."""
    factor: float | None
    """What a norm multiplied them by; None if values were clipped."""


@dataclass(frozen=True, slots=True)
class WeightFacts:
    """A parameter in one step."""

    layer: str
    letter: str
    """W, b, γ or β."""
    gradient: Tensor | None
    """Of the loss without penalties; None if the parameter is frozen."""
    added: Sequence[Term]
    """What penalties and clipping make of it."""
    before: Tensor
    after: Tensor
    terms: Sequence[Term]
    """The working of the optimizer; empty if it is not known."""
    average: Term | None = None
    """The moving average of the weight that is evaluated, if there is one."""

    @property
    def name(self) -> str:
        """Layer and letter: `linear1 W`."""
        return f"{self.layer} {self.letter}"


@dataclass(slots=True)
class StepFacts:
    """One step: forward, loss, backward, update."""

    number: int
    """From 1."""
    forward: list[Row]
    losses: list[LossFacts] = field(default_factory=list)
    """None without a target."""
    penalties: list[Penalty] = field(default_factory=list)
    total: float | None = None
    """The loss with weights of tasks and penalties."""
    backward: list[Row] = field(default_factory=list)
    clippings: list[Clipping] = field(default_factory=list)
    rate: float | None = None
    """The learning rate; None without weights."""
    optimizer: str = ""
    """Its kind and rate, `sgd 0.5`."""
    weights: list[WeightFacts] = field(default_factory=list)
    evaluations: int = 1
    """How often the loss was computed; more than once by lbfgs."""
    unit: UnitWorking | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """All of it."""

    name: str
    sample: str
    """What the sample is called."""
    mode: Literal["training", "evaluation"]
    steps: list[StepFacts]
    notes: list[str]
    """What the reader has to know to believe the numbers."""
