"""The facts that checks judge: of a network on its data, and of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cnnctl.diagnosis.history import History
from cnnctl.experiment import Experiment
from cnnctl.training.layer_statistics import LayerStatistics
from cnnctl.verification.facts import TaskLoss


@dataclass(frozen=True, slots=True)
class Yardstick:
    """Losses to compare with, each the weighted sum over all tasks."""

    constant: float
    """Of the best answer that is the same for all samples: of cross_entropy, the entropy of the
    labels."""
    least: float = 0.0
    """Of the right answers; above 0 with label smoothing."""

    def level(self, loss: float) -> float:
        """A loss as 1 for knowing nothing and 0 for the right answers."""
        span = self.constant - self.least
        return (loss - self.least) / span if span > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer with its figures and its place in the network."""

    figures: LayerStatistics
    is_matrix: bool
    """Whether it multiplies by a matrix or a kernel, unlike a norm."""
    is_output: bool
    """Whether no weights come after it."""
    fan_in: int = 0
    """Inputs that each of its outputs adds up; 0 without a matrix."""

    @property
    def name(self) -> str:
        """Its name in the network."""
        return self.figures.layer


@dataclass(frozen=True, slots=True)
class Modes:
    """The mean losses of the same samples in training and in evaluation mode."""

    training: float
    evaluation: float


@dataclass(frozen=True, slots=True)
class Inputs:
    """Mean and standard deviation of the inputs, as the network gets them."""

    mean: float
    spread: float


@dataclass(frozen=True, slots=True)
class Look:
    """What a network shows on some training samples, without a step."""

    samples: int
    layers: Sequence[Layer]
    """Outputs only; gradients and updates need steps."""
    loss: float
    inputs: Inputs


@dataclass(frozen=True, slots=True)
class StepsTaken:
    """What a few real steps from the network's weights have shown; nothing of them is kept."""

    count: int
    layers: Sequence[Layer]
    """Gradients and updates, each the median over the steps."""
    norms: Sequence[float]
    """The norm of the gradient of all weights at every step."""
    losses: Sequence[TaskLoss]
    """Of the first batch, before any step."""
    modes: Modes
    error: str = ""
    """What was not finite, and at which step; empty if all is."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How well the network learns a few samples by heart, without regularisation."""

    samples: int
    steps: int
    """Steps that were taken, until all samples were right."""
    is_learned: bool
    accuracy: float | None
    """Of the last step; None for values."""
    level: float
    """The loss of the last step, from 1 for a constant answer to 0; see `Yardstick`."""
    is_cut_short: bool
    """Whether time ran out."""
    error: str = ""
    """What was not finite; empty if all is."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of the network to samples of a split, for one task."""

    task: str
    """The name of the head; empty without heads."""
    split: str
    samples: int
    spread: float
    """Spread of the answers over the samples, relative to that of the targets; of classes, the
    share of answers that are not the most frequent one."""
    target_spread: float
    """The same of the targets."""
    never: Sequence[tuple[str, int]]
    """Classes that have samples here and are never predicted, with their number of samples."""
    accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known about a network; None where it is not."""

    experiment: Experiment
    yardstick: Yardstick
    is_trained: bool
    mixing: Sequence[str] = ()
    """The layers whose outputs depend on the other samples of a batch."""
    batch_samples: int = 0
    look: Look | None = None
    steps: StepsTaken | None = None
    trial: Trial | None = None
    answers: Sequence[Answers] = ()
    history: History | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why a fact is not known, by its name here."""

    def why_not(self, fact: str) -> str:
        """Why a fact is not known."""
        return self.missing.get(fact, "not measured")
