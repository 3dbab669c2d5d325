"""Train MLPs and CNNs described in YAML, with PyTorch; docs/python.md shows how in Python.

```python
import cnnctl

run = cnnctl.train("lenet", train={"epochs": 3})
network = run.load()
network.predict("seven.png", top_k=3)
```
"""

from cnnctl.process import set_library_options
from cnnctl.version import __version__

set_library_options()  # before torch is imported, whichever module does that first

TYPE_CHECKING = False  # as importing typing takes longer than all else here
if TYPE_CHECKING:
    from cnnctl import sklearn
    from cnnctl.api import (
        Evaluation,
        Network,
        Prediction,
        Run,
        Summary,
        build,
        evaluate,
        load,
        predict,
        summary,
        train,
    )
    from cnnctl.errors import Fault, FaultError

__all__ = [
    "Evaluation",
    "Fault",
    "FaultError",
    "Network",
    "Prediction",
    "Run",
    "Summary",
    "__version__",
    "build",
    "evaluate",
    "load",
    "predict",
    "sklearn",
    "summary",
    "train",
]


def __getattr__(name: str) -> object:
    """Import what is used, and only then torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in ("Fault", "FaultError"):
        from cnnctl import errors

        return getattr(errors, name)
    if name == "sklearn":
        import cnnctl.sklearn as estimators

        return estimators
    from cnnctl import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
