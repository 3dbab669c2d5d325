"""The outcome of training."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any

from cnnctl.run_folder import RunFolder
from cnnctl.training.run import Run


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The outcome of training."""

    run: Run
    folder: RunFolder
    test: dict[str, float] | None
    """Loss and accuracy of the best weights on the test split; nothing if the run was
    stopped, or if there is no test split."""
    stopped_by: signal.Signals | None

    def to_json(self) -> dict[str, Any]:
        """The content of result.json."""
        state = "finished" if self.stopped_by is None else "stopped"
        return {
            "state": state,
            "stopped_early": self.run.counters.stopped_early,
            "test": self.test,
        }
