"""What a benchmark measures. Times are in seconds, sizes in bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

PARTS = ("data", "forward", "backward", "optimizer")
"""The parts of a step. `optimizer` is all that follows the backward pass: penalties, clipping, the
update and averages."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the machine was measured to do at most, in the precision of the training."""

    matrix_product: float
    """Multiply-adds a second of a large matrix product."""
    convolution: float
    """Multiply-adds a second of a convolution with many channels."""
    bandwidth: float
    """Bytes a second that adding two tensors reads and writes."""

    @property
    def multiply_adds(self) -> float:
        """The peak: the faster of the two."""
        return max(self.matrix_product, self.convolution)


@dataclass(frozen=True, slots=True)
class Work:
    """What a step computes and moves at least, for a group of layers or as a whole."""

    multiply_adds: int
    """Those of convolutions and matrix products, forward and backward."""
    bytes: int
    """Inputs, outputs, gradients and weights, each read or written once by each layer."""
    limit: float
    """Seconds that these take at the limits of the machine; see `roofline`."""


@dataclass(frozen=True, slots=True)
class KindTime:
    """The time of the layers of one kind, forward and backward, as the profiler sees it."""

    kind: str
    share: float
    """Of the time of all layers."""
    seconds: float
    """In a step."""
    limit: float
    """The least time in a step, at the limits of the machine."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Steps at one batch size."""

    batch_size: int
    """Samples of a step: with accumulation, those of all its batches."""
    rounds: Sequence[float]
    """Samples a second in each round."""
    parts: Mapping[str, float]
    """Seconds of a step by its part, the median of the rounds; see `PARTS`."""
    first_step: float
    """Seconds of the first step, which compiles and allocates."""
    peak_memory: int | None
    """Of the process or, on a GPU, of its tensors; None if the system does not tell."""
    work: Work
    limits: Limits
    precision: str
    memory_format: str
    is_compiled: bool
    kinds: Sequence[KindTime] = ()
    """The longest first; none of a compiled network."""

    @property
    def samples_per_second(self) -> float:
        """The median of the rounds."""
        return median(self.rounds)

    @property
    def spread(self) -> float:
        """The range of the rounds as a share of their median."""
        return (max(self.rounds) - min(self.rounds)) / self.samples_per_second

    @property
    def step(self) -> float:
        """Seconds of a step."""
        return self.batch_size / self.samples_per_second

    @property
    def multiply_adds_per_second(self) -> float:
        """What was achieved, data and optimizer included."""
        return self.work.multiply_adds / self.step

    @property
    def share_of_limit(self) -> float:
        """The least time of a step as a share of its own; 1 is as fast as the machine can be."""
        return self.work.limit / self.step

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "batch_size": self.batch_size,
            "samples_per_second": self.samples_per_second,
            "spread": self.spread,
            "rounds": list(self.rounds),
            "step_seconds": self.step,
            "parts_seconds": dict(self.parts),
            "first_step_seconds": self.first_step,
            "peak_memory": self.peak_memory,
            "multiply_adds_per_step": self.work.multiply_adds,
            "multiply_adds_per_second": self.multiply_adds_per_second,
            "bytes_per_step": self.work.bytes,
            "limit_seconds": self.work.limit,
            "share_of_limit": self.share_of_limit,
            "limits": {
                "matrix_product_per_second": self.limits.matrix_product,
                "convolution_per_second": self.limits.convolution,
                "bytes_per_second": self.limits.bandwidth,
            },
            "precision": self.precision,
            "memory_format": self.memory_format,
            "compiled": self.is_compiled,
            "kinds": [asdict(each) for each in self.kinds],
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """A batch size that could not be measured, since its memory did not suffice."""

    batch_size: int
    message: str

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {"batch_size": self.batch_size, "error": self.message}


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of the process to the end of the first step."""

    imports: float
    """Until the command began to read the experiment: Python, torch and cnnctl."""
    data: float
    """Reading the experiment and its data."""
    network: float
    """Building the network and the optimizer."""
    first_step: float

    @property
    def total(self) -> float:
        """The sum."""
        return self.imports + self.data + self.network + self.first_step


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the machine was with other programs during the rounds."""

    others: float | None
    """Cores that they used on average; None if the system does not tell."""
    cores: int

    @property
    def is_disturbing(self) -> bool:
        """Whether other programs took a tenth of the machine or more."""
        return self.others is not None and self.others >= 0.1 * self.cores


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The speed of an experiment on this machine."""

    name: str
    parameters: int
    samples: int
    """Those of the training split."""
    device: str
    speeds: Sequence[Speed | Failure]
    start: Start
    load: Load
    is_counted: bool
    """Whether the multiply-adds of all layers are known."""
    environment: Mapping[str, Any]
