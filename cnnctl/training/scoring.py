"""The scores of a run: what the network that it keeps answers, and how good that is."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from torch import Tensor

from cnnctl.data.loader import Batches
from cnnctl.evaluation.scores import score
from cnnctl.experiment import Task
from cnnctl.prediction.outputs import block_size, outputs_of_all
from cnnctl.training.divergence import diverged
from cnnctl.training.run import Run
from cnnctl.training.step import Batch


def evaluate(run: Run, batches: Batches, *, tasks: Sequence[Task]) -> dict[str, float]:
    """Evaluate the network that a run keeps; see `scores_of`."""
    return scores_of(run, tasks, *answers_to(run, batches))


def answers_to(run: Run, batches: Batches) -> Batch:
    """The outputs of the network that a run keeps, and the targets, for all samples.

    The ranks divide the samples among them; all get the same outputs.
    """
    return outputs_of_all(
        run.evaluated,
        batches,
        block=block_size(run.plan, run.device),
        precision=run.experiment.train.precision,
        world=run.world,
    )


def scores_of(
    run: Run, tasks: Sequence[Task], outputs: Tensor, targets: Tensor
) -> dict[str, float]:
    """Loss, accuracy of classes and labels, and watched metrics.

    Raises:
        FaultError: the loss is not finite.
    """
    found = score(tasks, outputs, targets, watched=run.watched)
    if not isfinite(found["loss"]):
        raise diverged("the evaluation loss", run.optimizer, step=run.counters.step)
    return found
