"""Class weights that are measured when the data is prepared, and written into the experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cnnctl.data.samples import Split
from cnnctl.errors import below
from cnnctl.experiment.spec import Experiment
from cnnctl.experiment.tasks import Task
from cnnctl.optim.losses import Loss


def with_own_losses(experiment: Experiment) -> Experiment:
    """The experiment in which heads that share a loss that is to be measured have a copy of it.

    Each head has classes of its own, and so needs weights of its own.
    """
    loss, heads = experiment.loss, experiment.model.heads
    shared = {} if loss.is_fitted else {name: loss for name in heads if heads[name].loss is None}
    return _with_losses(experiment, shared)


def fitted(experiment: Experiment, tasks: Sequence[Task], train: Split) -> Experiment:
    """The experiment with the missing class weights of its losses, from the training split alone.

    Raises:
        FaultError: a class has no sample.
    """
    heads, measured = experiment.model.heads, dict[str, Loss]()
    for task in tasks:
        loss = (heads[task.name].loss if task.name in heads else None) or experiment.loss
        if not task.is_auxiliary and not loss.is_fitted:
            targets = train.target(task.target.name)
            with below(*task.path):
                measured[task.name] = loss.fitted(targets, task.target, outputs=task.output[0])
    return _with_losses(experiment, measured)


def _with_losses(experiment: Experiment, losses: Mapping[str, Loss]) -> Experiment:
    """The experiment with these losses of heads, by name; "" names that of a network without."""
    if not losses:
        return experiment
    if "" in losses:
        return experiment.model_copy(update={"loss": losses[""]})
    heads = {
        name: head.model_copy(update={"loss": losses.get(name, head.loss)})
        for name, head in experiment.model.heads.items()
    }
    model = experiment.model.model_copy(update={"heads": heads})
    return experiment.model_copy(update={"model": model})
