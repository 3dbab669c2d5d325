"""One YAML file, checked as a whole: the experiment."""

from cnnctl.experiment.consistency import check, require_weights
from cnnctl.experiment.growing import pixel_share, size_count
from cnnctl.experiment.loaded import Loaded, placed, starting_weights
from cnnctl.experiment.loading import complete, load, load_network
from cnnctl.experiment.measuring import fitted
from cnnctl.experiment.monitoring import learned_kinds, measures
from cnnctl.experiment.spec import Experiment, Train
from cnnctl.experiment.tasks import (
    Task,
    Thresholds,
    build_loss,
    build_normalizer,
    task_weights,
    tasks_of,
    with_thresholds,
)

__all__ = [
    "Experiment",
    "Loaded",
    "Task",
    "Thresholds",
    "Train",
    "build_loss",
    "build_normalizer",
    "check",
    "complete",
    "fitted",
    "learned_kinds",
    "load",
    "load_network",
    "measures",
    "pixel_share",
    "placed",
    "require_weights",
    "size_count",
    "starting_weights",
    "task_weights",
    "tasks_of",
    "with_thresholds",
]
