"""The evaluation of a network with several heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from cnnctl.evaluation.measured import Measured
from cnnctl.experiment import Task


@dataclass(frozen=True, slots=True)
class Heads:
    """The results of each head, by name."""

    samples: int
    loss: float
    """The weighted sum of the heads' losses."""
    heads: Mapping[str, Measured]

    @classmethod
    def of(cls, tasks: Sequence[Task], measured: Mapping[str, Measured]) -> Self:
        """Combine the results of these tasks."""
        loss = sum(task.weight * measured[task.name].found["loss"] for task in tasks)
        return cls(measured[tasks[0].name].samples, loss, measured)

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        heads = {name: head.to_json() for name, head in self.heads.items()}
        return {"samples": self.samples, "loss": self.loss, "heads": heads}
