"""What is advised for an experiment."""

from typing import Any

from cnnctl.advice import advise
from cnnctl.errors import dotted
from cnnctl.experiment import Experiment, check


def advice(layers: list[Any], *, init: Any = "default", **sections: Any) -> dict[str, str]:
    """What is advised for an experiment on digits with these layers: message by path."""
    plain = {"model": {"layers": layers, "init": init}, "loss": "cross_entropy"}
    plain = plain | {"optimizer": {"name": "sgd", "lr": 0.1}} | sections
    experiment = Experiment.model_validate({k: v for k, v in plain.items() if v is not None})
    plan, _ = check(experiment)
    return {
        dotted(fault.path): f"{fault.message}: {fault.hint}" for fault in advise(experiment, plan)
    }
