"""The automatic choices: each `auto` of an experiment is settled by a rule, and written down."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec

import torch

from cnnctl.data.samples import Description
from cnnctl.device import pick_device, pick_precision
from cnnctl.experiment import Experiment, Train
from cnnctl.inspection import gather
from cnnctl.model.network import Plan

WORTH_COMPILING = {"cpu": 2e14, "cuda": 1e16}
"""Multiply-adds of a whole run above which compiling (some 20 to 60 s) is soon won back."""


def settle(experiment: Experiment, plan: Plan, description: Description) -> Experiment:
    """Fill in every `auto` of `train` for this machine.

    The rules ask for the machine and the network, never for a clock: the same file gives the same
    settings, and so the same bits, at every run on the same machine.
    """
    train = experiment.train
    device = pick_device(train.device)
    settled = {
        "device": str(device),
        "precision": pick_precision(train.precision, device),
        "memory_format": _memory_format(train, plan),
        "compile": _compile(experiment, plan, description, device),
        "threads": torch.get_num_threads() if train.threads == "auto" else train.threads,
        "monitor": _monitor(train, description),
    }
    return experiment.model_copy(update={"train": train.model_copy(update=settled)})


def _memory_format(train: Train, plan: Plan) -> str:
    if train.memory_format != "auto":
        return train.memory_format
    has_images = any(stage.layer.kind == "conv" and len(stage.input) == 3 for stage in plan.stages)
    return "channels_last" if has_images else "contiguous_format"


def _monitor(train: Train, description: Description) -> str:
    if train.monitor != "auto":
        return train.monitor
    return "accuracy" if description.is_classification else "loss"


def _compile(
    experiment: Experiment, plan: Plan, description: Description, device: torch.device
) -> bool | str:
    if experiment.train.compile != "auto":
        return experiment.train.compile
    if not can_compile(device):
        return False
    samples = description.train_samples * experiment.train.epochs
    # a backward pass costs about two forward passes
    work = 3 * gather(plan, batch_size=1).multiply_adds * samples
    return work > WORTH_COMPILING[device.type]


def can_compile(device: torch.device) -> bool:
    """Whether torch.compile has the compiler it needs: a C++ one for CPUs, triton for GPUs.

    triton compiles for GPUs from Volta (compute capability 7.0) on.
    """
    if sys.platform == "win32":
        return False
    if device.type == "cuda":
        return find_spec("triton") is not None and torch.cuda.get_device_capability(device) >= (
            7,
            0,
        )
    return any(map(shutil.which, ("g++", "c++", "clang++")))
