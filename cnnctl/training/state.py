"""A run <-> a checkpoint.

`last` has everything needed to resume, `best` what is needed to evaluate and predict. A state is
captured between two optimizer steps, when everything that a step changes is up to date.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, optim

from cnnctl.checkpoint import Checkpoint, Document, Tensors, load_weights, pack
from cnnctl.errors import checkpoint_fault
from cnnctl.experiment import Experiment, with_thresholds
from cnnctl.layout import RANDOM_CPU, RANDOM_CUDA, Part, named
from cnnctl.training.run import Counters, Run
from cnnctl.training.verification import verify


def capture_best(run: Run) -> Checkpoint:
    """The weights for evaluation, and everything needed to use them."""
    settled = with_thresholds(run.experiment, run.thresholds)
    return Checkpoint(named(Part.MODEL, run.evaluated.state_dict()), _describe(run, settled))


def capture_last(run: Run) -> Checkpoint:
    """The complete state of the run."""
    tensors = named(Part.MODEL, run.network.state_dict())
    if run.average is not None:
        tensors |= named(Part.AVERAGE, run.average.network.state_dict())
    if run.distilling is not None:
        tensors |= named(Part.REGRESSORS, run.distilling.regressors.state_dict())
    moved, skeleton = pack(run.optimizer.state_dict(), prefix=Part.OPTIMIZER)
    tensors |= moved | _random_state(run.device) | {Part.TALLY: run.tally.sums}
    document = _describe(run, run.experiment) | {
        "optimizer": skeleton,
        "schedule": run.schedule.state_dict(),
        "patience": run.patience.state_dict() if run.patience else None,
        "torch": torch.__version__,
    }
    return Checkpoint(tensors, document)


def _describe(run: Run, experiment: Experiment) -> Document:
    return {
        "experiment": experiment.plain(),
        "class_names": _class_names(run),
        "counters": run.counters.to_json(),
    }


def _class_names(run: Run) -> list[str] | dict[str, list[str]]:
    """The class names of the network, or of each head."""
    names = {task.name: list(task.target.class_names) for task in run.answers}
    return names.get("", names)


def _random_state(device: torch.device) -> Tensors:
    states = {RANDOM_CPU: torch.get_rng_state()}
    if device.type == "cuda":
        states[RANDOM_CUDA] = torch.cuda.get_rng_state(device)
    return states


def restore(run: Run, checkpoint: Checkpoint) -> None:
    """Restore a run from a checkpoint, except the random states, which come last.

    Raises:
        FaultError: a part is missing or does not fit; nothing is ignored silently.
    """
    document = checkpoint.document
    if "optimizer" not in document:
        raise checkpoint_fault(
            "holds weights only, not the state of a run", hint="resume from last.safetensors"
        )
    optimizer = verify(run, checkpoint)
    load_weights(run.network, checkpoint.under(Part.MODEL))
    if run.average is not None:
        load_weights(run.average.network, checkpoint.under(Part.AVERAGE))
    if run.distilling is not None:
        load_weights(run.distilling.regressors, checkpoint.under(Part.REGRESSORS))
    _restore_optimizer(run.optimizer, optimizer)
    run.schedule.load_state_dict(document["schedule"])
    if run.patience is not None:
        run.patience.load_state_dict(document["patience"])
    run.tally.sums.copy_(checkpoint.tensors[Part.TALLY])
    run.counters = Counters(**document["counters"])


def restore_random(checkpoint: Checkpoint, device: torch.device) -> None:
    """Restore the random states, just before the next batch."""
    torch.set_rng_state(checkpoint.tensors[RANDOM_CPU])
    if device.type == "cuda" and RANDOM_CUDA in checkpoint.tensors:
        torch.cuda.set_rng_state(checkpoint.tensors[RANDOM_CUDA], device)


def _restore_optimizer(optimizer: optim.Optimizer, state: dict[str, Any]) -> None:
    optimizer.load_state_dict(state)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            entries = optimizer.state.get(parameter, {})
            for key, value in entries.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    # a fused kernel reads weight and state in one order: same layout
                    entries[key] = torch.empty_like(parameter.detach()).copy_(value)
