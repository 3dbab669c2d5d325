"""One YAML file, checked as a whole: the experiment."""

from cnnctl.experiment.consistency import check, measures
from cnnctl.experiment.loaded import Loaded, placed, starting_weights
from cnnctl.experiment.loading import complete, load
from cnnctl.experiment.measuring import fitted
from cnnctl.experiment.spec import Experiment, Train
from cnnctl.experiment.tasks import (
    Task,
    build_loss,
    build_normalizer,
    task_weights,
    tasks_of,
)

__all__ = [
    "Experiment",
    "Loaded",
    "Task",
    "Train",
    "build_loss",
    "build_normalizer",
    "check",
    "complete",
    "fitted",
    "load",
    "measures",
    "placed",
    "starting_weights",
    "task_weights",
    "tasks_of",
]
