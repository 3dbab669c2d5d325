"""What `import cnnctl` offers; the commands call the same functions."""

from cnnctl.process import set_library_options

set_library_options()

from cnnctl.api.measuring import Evaluation, evaluate  # noqa: E402
from cnnctl.api.network import Network, Prediction  # noqa: E402
from cnnctl.api.opening import build, load, predict  # noqa: E402
from cnnctl.api.summaries import Summary, summary  # noqa: E402
from cnnctl.api.training import Run, train  # noqa: E402

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
