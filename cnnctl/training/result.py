"""The outcome of a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnnctl.training.run import Run


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The outcome of training."""

    run: Run
    test: dict[str, float] | None
    """Loss and accuracy of the best weights on the test split; empty if the run was
    stopped, or if there is no test split."""
    remarks: Sequence[str] = ()
    """Lines about the training, by those who followed it."""

    @property
    def is_finished(self) -> bool:
        """Whether training finished, and was not stopped."""
        return self.run.is_finished

    def to_json(self) -> dict[str, Any]:
        """The content of result.json."""
        state = "finished" if self.is_finished else "stopped"
        return {
            "state": state,
            "stopped_early": self.run.counters.stopped_early,
            "test": self.test,
            "remarks": list(self.remarks),
        }
