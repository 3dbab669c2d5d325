"""The facts that checks judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cnnctl.data.preparation import SplitName
from cnnctl.experiment import Loaded


@dataclass(frozen=True, slots=True)
class TaskLoss:
    """The loss of one task on the first batch, before any step."""

    task: str
    """The name of the head; empty without heads."""
    kind: str
    """Of its target: class, labels or values."""
    loss: float
    constant: float
    """The loss of the best answer that knows nothing of the inputs: all classes are equally likely,
    all labels a half, all values the mean."""
    outputs: int


@dataclass(frozen=True, slots=True)
class Steps:
    """What a few real steps have shown."""

    losses: Sequence[TaskLoss]
    batch: float
    """Seconds for a batch of training: its data, forward, backward and its share of a step."""
    sample: float
    """Seconds for a sample of an evaluation."""
    saving: float
    """Seconds for making the checkpoints of an epoch."""
    error: str = ""
    """What was not finite, and at which step; empty if all is."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two samples that are the same or nearly so, each with its split and its name."""

    split: SplitName
    name: str
    other_split: SplitName
    other_name: str
    has_other_target: bool
    """Whether their classes or labels differ."""

    @property
    def is_leak(self) -> bool:
        """Whether they are in different splits."""
        return self.split != self.other_split


@dataclass(frozen=True, slots=True)
class Likenesses:
    """Samples that are like another one."""

    identical: Sequence[Pair]
    """Each sample that has the inputs of an earlier one, with the first of them."""
    similar: Sequence[Pair]
    """Each picture that is nearly identical to one of an earlier split, with the most similar."""
    are_compared: bool
    """Whether the samples are pictures, which are compared for being nearly identical."""


@dataclass(frozen=True, slots=True)
class Computed:
    """Bytes that training needs at least: the sizes of its tensors."""

    data: int
    """Samples that are kept on the device."""
    network: int
    """Weights, gradients and the state of the optimizer."""
    activations: int

    @property
    def total(self) -> int:
        """The sum."""
        return self.data + self.network + self.activations


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes that a temporary run of the same training took on the device."""

    process: int
    """Python and its libraries, after a step with a single weight; 0 on a GPU."""
    reading: int
    """The most that reading the data takes beyond that, with the processes that decode pictures;
    some libraries are loaded later only."""
    data: int
    """What is kept of it."""
    training: int
    """The most that steps, evaluation and checkpoints took on top of process and data."""
    mapped: int = 0
    """Mapped data that was in memory besides; the system drops it when memory is short."""

    @property
    def total(self) -> int:
        """The peak, without mapped data."""
        return self.process + max(self.reading, self.data + self.training)


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory that training needs and that is available, in bytes."""

    computed: Computed
    available: int | None
    """What is free on the device for a training; None if unknown."""
    device: str
    measured: Measured | None = None
    """None if nothing was tried, or the system does not tell."""

    @property
    def total(self) -> int:
        """What is needed, as measured or else as computed."""
        return self.measured.total if self.measured else self.computed.total

    @property
    def fits(self) -> bool:
        """Whether there is enough, or at least nothing known to the contrary."""
        return self.available is None or self.total <= self.available


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds that training will take."""

    epoch: float
    """Its training and its validation."""
    run: float
    epochs: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is gathered about an experiment and its data; None where it was not."""

    loaded: Loaded
    memory: Memory
    samples: Mapping[SplitName, int] | None = None
    """How many each split has, all of which were read."""
    skipped: Sequence[str] = ()
    """Broken files that the experiment skips."""
    steps: Steps | None = None
    likenesses: Likenesses | None = None
    duration: Duration | None = None
