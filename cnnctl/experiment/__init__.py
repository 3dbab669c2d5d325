"""One YAML file, checked as a whole: the experiment."""

from cnnctl.experiment.agreement import check
from cnnctl.experiment.loading import Loaded, complete, load, placed
from cnnctl.experiment.spec import Experiment, Train

__all__ = ["Experiment", "Loaded", "Train", "check", "complete", "load", "placed"]
