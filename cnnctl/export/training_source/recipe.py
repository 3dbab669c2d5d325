"""What a training script is made of: the parts of an experiment as code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnnctl.data.samples import Splits
from cnnctl.experiment import Experiment, Task
from cnnctl.export.training_source.augmenting import mixing_source
from cnnctl.export.training_source.data import DataSource, data_source
from cnnctl.export.training_source.losses import LossSource, loss_source
from cnnctl.export.training_source.schedulers import ScheduleSource, schedule_source
from cnnctl.metrics import Accuracy
from cnnctl.optim.optimizers.quasi_newton import LBFGS
from cnnctl.training.run import stopping_metric


@dataclass(frozen=True, slots=True)
class Recipe:
    """An experiment, and its parts as code."""

    experiment: Experiment
    """With every automatic choice made and its statistics filled in."""
    tasks: Sequence[Task]
    splits: Splits
    data: DataSource
    loss: LossSource
    schedule: ScheduleSource
    mixing: tuple[str, list[str]]
    """Functions that mix a batch, and the lines that call them."""

    @classmethod
    def of(cls, experiment: Experiment, tasks: Sequence[Task], splits: Splits) -> Recipe:
        """The parts of an experiment.

        Raises:
            FaultError: one of them cannot be written.
        """
        return cls(
            experiment,
            tasks,
            splits,
            data_source(experiment, splits, tasks),
            loss_source(tasks[0]),
            schedule_source(experiment),
            mixing_source(experiment.data),
        )

    @property
    def has_penalty(self) -> bool:
        """Whether weights are penalised."""
        settings = self.experiment.regularization
        return bool(settings.l1 or settings.l2)

    @property
    def sums(self) -> bool:
        """Whether the loss is a sum over the samples, not a mean."""
        return self.tasks[0].loss.reduction == "sum"

    @property
    def averages(self) -> bool:
        """Whether an average of the weights is kept."""
        settings = self.experiment.regularization
        return settings.ema is not None or settings.lookahead is not None

    @property
    def precision(self) -> str:
        """The precision of the forward pass."""
        return self.experiment.train.precision

    @property
    def is_classifying(self) -> bool:
        """Whether what is learned has an accuracy."""
        return any(task.target.kind in Accuracy.measures for task in self.tasks)

    @property
    def validates(self) -> bool:
        """Whether there is a validation split."""
        return len(self.splits.validation) > 0

    @property
    def measured(self) -> list[str]:
        """The metrics that are measured after an epoch: the loss first, then the accuracy."""
        asked = [self.experiment.train.monitor, self.schedule.watches]
        if self.experiment.regularization.early_stopping is not None:
            asked.append(stopping_metric(self.experiment))
        first = ["loss", "accuracy"] if self.is_classifying else ["loss"]
        return list(dict.fromkeys([*first, *filter(None, asked)]))

    @property
    def is_full_batch(self) -> bool:
        """Whether a step takes all samples."""
        return self.experiment.data.batch_size == "all"

    @property
    def needs_closure(self) -> bool:
        """Whether the optimizer evaluates the loss several times."""
        return isinstance(self.experiment.optimizer, LBFGS)
