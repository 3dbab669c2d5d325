"""A run <-> a checkpoint.

`last` has everything needed to resume, `best` what is needed to evaluate and predict. A state is
captured between two optimizer steps, when everything that a step changes is up to date.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, optim

from cnnctl.checkpoint import Checkpoint, Document, Tensors, load_weights, pack
from cnnctl.data.loader import combined_seed
from cnnctl.errors import checkpoint_fault
from cnnctl.experiment import Experiment, with_thresholds
from cnnctl.layout import RANDOM_CPU, RANDOM_CUDA, Part, named, of_rank
from cnnctl.training.run import Counters, Run
from cnnctl.training.verification import verify


def capture_best(run: Run) -> Checkpoint:
    """The weights for evaluation, and everything needed to use them."""
    settled = with_thresholds(run.experiment, run.thresholds)
    return Checkpoint(named(Part.MODEL, run.evaluated.state_dict()), _describe(run, settled))


def capture_last(run: Run, random: Tensors | None = None) -> Checkpoint:
    """The complete state of the run.

    random: the `random_states` of all ranks, if there are several.
    """
    tensors = named(Part.MODEL, run.network.state_dict())
    if run.average is not None:
        tensors |= named(Part.AVERAGE, run.average.network.state_dict())
    if run.distilling is not None:
        tensors |= named(Part.REGRESSORS, run.distilling.regressors.state_dict())
    moved, skeleton = pack(run.optimizer.state_dict(), prefix=Part.OPTIMIZER)
    tensors |= moved | {Part.TALLY: run.tally.sums}
    tensors |= random_states(run) if random is None else random
    document = _describe(run, run.experiment) | {
        "optimizer": skeleton,
        "schedule": run.schedule.state_dict(),
        "patience": run.patience.state_dict() if run.patience else None,
        "torch": torch.__version__,
        "ranks": run.world.size,
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


def seed_rank(run: Run) -> None:
    """Seed the random states of this rank, for dropout; each rank draws numbers of its own."""
    seed, rank, step = run.experiment.seed, run.world.rank, run.counters.step
    torch.manual_seed(combined_seed("rank", seed, rank, step) if rank else seed)


def random_states(run: Run) -> Tensors:
    """The random states of all ranks, by their names in a checkpoint."""
    own = {RANDOM_CPU: torch.get_rng_state()}
    if run.device.type == "cuda":
        own[RANDOM_CUDA] = torch.cuda.get_rng_state(run.device)
    return {
        of_rank(name, rank): state
        for name, tensor in own.items()
        for rank, state in enumerate(run.world.stack(tensor))
    }


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


def restore_random(checkpoint: Checkpoint, run: Run) -> None:
    """Restore the random states, just before the next batch; seed those of new ranks."""
    tensors, rank = checkpoint.tensors, run.world.rank
    if of_rank(RANDOM_CPU, rank) not in tensors:
        seed_rank(run)
        return
    torch.set_rng_state(tensors[of_rank(RANDOM_CPU, rank)])
    if run.device.type == "cuda" and of_rank(RANDOM_CUDA, rank) in tensors:
        torch.cuda.set_rng_state(tensors[of_rank(RANDOM_CUDA, rank)], run.device)


def _restore_optimizer(optimizer: optim.Optimizer, state: dict[str, Any]) -> None:
    optimizer.load_state_dict(state)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            entries = optimizer.state.get(parameter, {})
            for key, value in entries.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    # a fused kernel reads weight and state in one order: same layout
                    entries[key] = torch.empty_like(parameter.detach()).copy_(value)
