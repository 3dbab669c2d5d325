"""The automatic choices: each `auto` of an experiment is settled by a rule, and written down."""

from __future__ import annotations

import torch
from torch import nn

from cnnctl.data.samples import Description
from cnnctl.device import pick_device, pick_precision
from cnnctl.experiment import Experiment, Train, measures_accuracy
from cnnctl.model.network import Plan, outline


def settle(experiment: Experiment, plan: Plan, description: Description) -> Experiment:
    """Fill in every `auto` of `train` for this machine, all but `compile` (see `tuning`).

    The rules ask for the machine and the network, never for a clock: the same file gives the same
    settings, and so the same bits, at every run on the same machine.
    """
    train = experiment.train
    device = pick_device(train.device)
    settled = {
        "device": str(device),
        "precision": pick_precision(train.precision, device),
        "memory_format": _memory_format(train, plan),
        "threads": torch.get_num_threads() if train.threads == "auto" else train.threads,
        "monitor": _monitor(experiment, description),
    }
    return experiment.model_copy(update={"train": train.model_copy(update=settled)})


def _memory_format(train: Train, plan: Plan) -> str:
    if train.memory_format != "auto":
        return train.memory_format
    has_images = any(isinstance(module, nn.Conv2d) for module in outline(plan).modules())
    return "channels_last" if has_images else "contiguous_format"


def _monitor(experiment: Experiment, description: Description) -> str:
    if experiment.train.monitor != "auto":
        return experiment.train.monitor
    return "accuracy" if measures_accuracy(experiment, description) else "loss"
