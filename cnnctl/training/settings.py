"""The automatic choices: each `auto` of an experiment is resolved by a rule and recorded."""

from __future__ import annotations

from math import ceil

import torch

from cnnctl.data.samples import DatasetInfo
from cnnctl.device import fastest_precision, pick_device, threads_of_one
from cnnctl.experiment import Experiment, learned_kinds, measures
from cnnctl.metrics import Accuracy, AveragePrecision, MeanLoss
from cnnctl.model.network import NetworkPlan, meta_network
from cnnctl.optim.schedulers.plateau import Plateau
from cnnctl.training.micro_batches import fitting_size

MUCH_WORK = 2**25
"""Multiply-adds per step below which bf16 gains less than its casts cost. On two cores with AMX,
LeNet ran at 0.82 of fp32's speed at 3 million, 0.92 at 27, 1.06 at 53 and 1.25 at 213; an MLP at
0.88, 1.02, 1.20 and 1.46 at 17, 34, 68 and 136 million."""
MUCH_REUSE = 32
"""Multiply-adds per step and weight below which casting the weights costs more than bf16
gains: two layers of 2,048 ran at 0.59 of fp32's speed with 8 samples a batch, at 1.17 with 64."""
RARE, RARER = 50, 200
"""Steps between records of the layers: on a CPU, and where a GPU or a compiled network makes steps
faster, but not records. On a core, a record takes as long as one step of LeNet or ResNet-20, 1.5 of
an MLP, and 1.8 of two layers of 16 units (benchmarks/watch.py)."""
RECORDS = 10
"""Records of the layers in an epoch, at most: more would make long files of long epochs."""


def resolve_auto(
    experiment: Experiment,
    plan: NetworkPlan,
    description: DatasetInfo,
    *,
    local_ranks: int = 1,
) -> Experiment:
    """Fill in every `auto` of `train` for this machine, and the mode of `plateau`.

    local_ranks: the number of ranks on this machine, which share its cores.

    The rules depend on the machine and the network, never on timing: the same file gives the same
    settings, and so the same bits, in every run on the same machine. Only `compile: measure`
    remains, which requests a measurement (see `compile_trial`).
    """
    train = experiment.train
    device = pick_device(train.device)
    watch = train.watch
    if watch is True:
        watch = _watch_interval(experiment, description, device)
    resolved = {
        "device": str(device),
        "precision": _precision(experiment, plan, description, device),
        "memory_format": _memory_format(experiment, plan),
        "micro_batch_size": _micro_batch_size(experiment, plan, description, device),
        "compile": False if train.compile == "auto" else train.compile,
        "threads": threads_of_one(local_ranks) if train.threads == "auto" else train.threads,
        "monitor": _monitor(experiment, description),
        "watch": watch,
        "planned_steps": train.plan,
    }
    scheduler = experiment.scheduler
    if isinstance(scheduler, Plateau):
        scheduler = scheduler.model_copy(update={"mode": scheduler.direction})
    train = train.model_copy(update=resolved)
    return experiment.model_copy(update={"train": train, "scheduler": scheduler})


def _precision(
    experiment: Experiment, plan: NetworkPlan, description: DatasetInfo, device: torch.device
) -> str:
    """The precision: less than float32 only if there is enough work for it to be faster."""
    asked = experiment.train.precision
    if asked != "auto":
        return asked
    batch = _batch_size(experiment, description)
    return fastest_precision(device) if gains_by_bf16(plan, batch_size=batch) else "fp32"


def _batch_size(experiment: Experiment, description: DatasetInfo) -> int:
    size = experiment.data.batch_size
    return description.train_samples if size == "all" else size


def gains_by_bf16(plan: NetworkPlan, *, batch_size: int) -> bool:
    """Whether a training step has enough work for bf16 to be faster than float32.

    A network with a module of unknown cost, such as torchvision's, is assumed to be large.
    """
    told = [leaf.layer.multiply_adds(leaf.input, leaf.output) for leaf in plan.leaves()]
    known = [count for count in told if count is not None]
    weights = sum(parameter.numel() for parameter in meta_network(plan).parameters())
    is_enough = batch_size * sum(known) >= max(MUCH_WORK, MUCH_REUSE * weights)
    return is_enough or len(known) < len(told)


def _memory_format(experiment: Experiment, plan: NetworkPlan) -> str:
    if experiment.train.memory_format != "auto":
        return experiment.train.memory_format
    if not experiment.optimizer.takes_channels_last:
        return "contiguous_format"
    # kernels have four dimensions where they convolve images
    has_images = any(weight.ndim == 4 for weight in meta_network(plan).parameters())
    return "channels_last" if has_images else "contiguous_format"


def _micro_batch_size(
    experiment: Experiment, plan: NetworkPlan, description: DatasetInfo, device: torch.device
) -> int | None:
    """The parts of a batch: those that fit on a CPU; GPUs are faster with whole ones."""
    asked = experiment.train.micro_batch_size
    if asked != "auto":
        return asked
    if device.type != "cpu":
        return None
    return fitting_size(plan, batch_size=_batch_size(experiment, description))


def _monitor(experiment: Experiment, description: DatasetInfo) -> str:
    if experiment.train.monitor != "auto":
        return experiment.train.monitor
    if experiment.data.validation and learned_kinds(experiment, description) == {"labels"}:
        return AveragePrecision.kind  # which no threshold has a part in
    metric = Accuracy if measures(Accuracy, experiment, description) else MeanLoss
    return metric.kind


def _watch_interval(experiment: Experiment, description: DatasetInfo, device: torch.device) -> int:
    """The steps between records of the layers, for less than 5 % of the speed.

    They do not depend on the epochs, which may change when a run is resumed.
    """
    is_fast = device.type != "cpu" or experiment.train.compile not in ("auto", False)
    batch = _batch_size(experiment, description) * experiment.train.accumulate
    steps = ceil(description.train_samples / batch)
    return max(RARER if is_fast else RARE, ceil(steps / RECORDS))


def with_compile(experiment: Experiment, compile: bool) -> Experiment:
    """The experiment with `train.compile` decided."""
    train = experiment.train.model_copy(update={"compile": compile})
    return experiment.model_copy(update={"train": train})


def without_deadline(experiment: Experiment) -> Experiment:
    """The experiment without `train.max_minutes`, whose outcome is in `train.planned_steps`."""
    train = experiment.train.model_copy(update={"max_minutes": None})
    return experiment.model_copy(update={"train": train})
