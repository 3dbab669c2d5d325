"""Where a training keeps its states."""

from __future__ import annotations

from cnnctl.checkpoint import Tensors
from cnnctl.training.run import Run


class CheckpointStore:
    """Where a training keeps its states; this base keeps only the best weights, in memory."""

    _best: Tensors | None = None

    def save_best(self, run: Run) -> None:
        """Keep the weights for evaluation, replacing the previous ones."""
        weights = run.evaluated.state_dict()
        self._best = {name: tensor.detach().clone() for name, tensor in weights.items()}

    def save_last(self, run: Run, random: Tensors) -> None:
        """Keep the state from which training can be resumed; `random` are the random states."""

    def best_weights(self) -> Tensors:
        """The best weights."""
        assert self._best is not None, "no epoch was finished"
        return self._best


class NoStore(CheckpointStore):
    """That of a rank that does not write: rank 0 keeps the states of all."""

    def save_best(self, run: Run) -> None:
        """Keep nothing."""
