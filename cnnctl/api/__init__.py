"""What `import cnnctl` offers; the commands call the same functions."""

from cnnctl.api.measuring import Evaluation, evaluate
from cnnctl.api.network import Network, Prediction
from cnnctl.api.opening import build, load, predict
from cnnctl.api.summaries import Summary, summary
from cnnctl.api.training import Run, train

__all__ = [
    "Evaluation",
    "Network",
    "Prediction",
    "Run",
    "Summary",
    "build",
    "evaluate",
    "load",
    "predict",
    "summary",
    "train",
]
