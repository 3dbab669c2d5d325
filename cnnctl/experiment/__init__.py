"""One YAML file, checked as a whole: the experiment."""

from cnnctl.experiment.agreement import check
from cnnctl.experiment.loading import Loaded, load, placed
from cnnctl.experiment.spec import Experiment, Train

__all__ = ["Experiment", "Loaded", "Train", "check", "load", "placed"]
