"""One YAML file, checked as a whole: the experiment."""

from cnnctl.experiment.agreement import check, measures_accuracy
from cnnctl.experiment.loading import Loaded, complete, load, placed, starting_weights
from cnnctl.experiment.spec import Experiment, Train
from cnnctl.experiment.tasks import Task, build_loss, tasks_of

__all__ = [
    "Experiment",
    "Loaded",
    "Task",
    "Train",
    "build_loss",
    "check",
    "complete",
    "load",
    "measures_accuracy",
    "placed",
    "starting_weights",
    "tasks_of",
]
