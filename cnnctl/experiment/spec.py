"""The sections of an experiment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from cnnctl.config.bounds import PositiveFloat, PositiveInt
from cnnctl.config.choice import Spec, refusal
from cnnctl.config.wording import show
from cnnctl.data import sources as _sources  # declares the datasets
from cnnctl.data.dataset import DataSet
from cnnctl.data.progressive_resizing import ProgressiveResizing
from cnnctl.data.sources.digits import Digits
from cnnctl.experiment.distill import Distillation
from cnnctl.metrics import Monitor
from cnnctl.model.heads import Head
from cnnctl.model.layer import Name
from cnnctl.model.network import Model
from cnnctl.optim.losses import Loss
from cnnctl.optim.losses.classes import CrossEntropy
from cnnctl.optim.optimizers import Optimizer
from cnnctl.optim.optimizers.momentum import SGD
from cnnctl.optim.regularizers import Regularization
from cnnctl.optim.schedulers import Plan, PlannedSteps, Scheduler
from cnnctl.optim.schedulers.decays import Constant

del _sources

Threads = Annotated[int, Field(gt=0, le=1024)]

_NAME = r"^[^/\\.\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*$"
_DEVICE = r"^(auto|cpu|cuda(:[0-9]{1,2})?)$"
NAME_BYTES = 200
"""File systems allow 255; a run folder adds a number."""


def is_fit_for_a_folder(name: str) -> bool:
    """Whether a run folder can have this name."""
    return bool(re.match(_NAME, name)) and name.isprintable() and len(name.encode()) <= NAME_BYTES


def _check_name(name: str) -> str:
    if not is_fit_for_a_folder(name):
        hint = f"use at most {NAME_BYTES} printable bytes, without / or \\ or a leading dot"
        raise refusal(f"{show(name)} is not a valid run name", hint=hint)
    return name


def _check_device(device: str) -> str:
    if not re.match(_DEVICE, device):
        raise refusal(f"{show(device)} is not a device", hint="write auto, cpu, cuda or cuda:1")
    return device


RunName = Annotated[
    str,
    AfterValidator(_check_name),
    Field(json_schema_extra={"pattern": _NAME, "maxLength": NAME_BYTES}),
]
Device = Annotated[
    str, AfterValidator(_check_device), Field(json_schema_extra={"pattern": _DEVICE})
]


class Train(Spec):
    """Training length, precision and device."""

    epochs: PositiveInt = 10
    """Passes over the training split; with max_minutes, at most."""
    max_minutes: PositiveFloat | None = None
    """Minutes within which to train, evaluate and save: the rest of the schedule is fitted to the
    steps for which there is time, also within an epoch."""
    planned_steps: Plan | Literal["auto"] = "auto"
    """Steps of the run, as planned for max_minutes: recorded in config.yaml, so that a run of it
    repeats them. `auto` takes all epochs."""
    accumulate: PositiveInt = 1
    """Batches to accumulate gradients over before each optimizer step."""
    micro_batch_size: PositiveInt | Literal["auto"] | None = "auto"
    """Samples of a batch to compute at a time, whose gradients are summed; `auto` splits large
    batches where that is faster and gives the same result, null never does. Batch norms normalise
    each part alone (ghost batch normalisation, Hoffer et al. 2017): `auto` does not split those."""
    device: Device = "auto"
    """`cpu`, `cuda` or `cuda:N`; `auto` uses a GPU if there is one."""
    precision: Literal["auto", "fp32", "tf32", "bf16"] = "auto"
    """Precision of the forward pass; `auto` uses bf16 where the device is faster with it and the
    network is large enough to gain from it."""
    memory_format: Literal["auto", "contiguous_format", "channels_last"] = "auto"
    """Memory layout of images; `auto` uses channels_last for convolutions on images."""
    compile: Literal["auto", "measure", "reduce-overhead", "max-autotune"] | bool = "auto"
    """Use torch.compile, or the mode to use it with; `measure` times the first batches and compiles
    if that is faster for sure, `auto` does not compile."""
    deterministic: bool = True
    """Bit-identical runs on the same machine; false lets cuDNN pick faster algorithms."""
    threads: Threads | Literal["auto"] = "auto"
    """CPU threads; `auto` uses PyTorch's default, or of several ranks each has its part of the
    cores."""
    sync_batch_norm: bool = False
    """With several ranks, normalise over the batch of all of them; otherwise each normalises over
    its part, and their running statistics are averaged."""
    activation_checkpointing: bool | list[str] = False
    """Save memory by computing activations again in the backward pass: in each block and stretch of
    layers, or in the layers and blocks with these names or patterns."""
    progressive_resizing: ProgressiveResizing | None = None
    """Train on small images first, which grow to their full size; a network must take all sizes,
    for example by global pooling."""
    checkpoint_every: PositiveInt | None = None
    """Steps between checkpoints within an epoch; one is always saved at its end."""
    snapshots: PositiveInt | None = None
    """Epochs between snapshots of the weights, which `cnnctl plot --frames` draws; the initial and
    the last weights are kept, too."""
    watch: PositiveInt | bool = False
    """Steps between records of the gradients, weights, updates and activations of every layer; true
    takes an interval that costs less than 5 % of the speed."""
    monitor: Monitor = "auto"
    """Validation metric that selects the best epoch; `auto` is accuracy for classes,
    average_precision for labels and loss for regression."""

    @property
    def plan(self) -> list[PlannedSteps]:
        """The recorded plans; empty for all epochs."""
        return [] if self.planned_steps == "auto" else self.planned_steps

    def planned(self, plan: PlannedSteps) -> Train:
        """The same settings with another plan recorded."""
        return self.model_copy(update={"planned_steps": [*self.plan, plan]})


class TrainedHead(Head):
    """An output head: layers on top of the trunk, with their own loss."""

    loss: Loss | None = None
    """Loss of this head (default: the experiment's)."""
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Weight of this head's loss in the total loss."""


class Architecture(Model):
    """An architecture: a sequence of layers, optionally with several heads."""

    heads: Mapping[Name, TrainedHead] = Field(default={})
    """Output heads by the name of their target, for multi-task networks."""


class Experiment(Spec):
    """An experiment: data, model, and how to train."""

    written_out = ("base",)

    name: RunName = "experiment"
    """Name of the run folder (default: the file name without its suffix)."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Random seed of weights, sample order, augmentation and dropout."""
    plugins: list[str] = []
    """Python files that declare more kinds. Their code is run, so list only files you trust."""
    data: DataSet = Digits()
    """The dataset."""
    model: Architecture
    """The architecture."""
    loss: Loss = CrossEntropy()
    """Loss to minimise; heads may have their own."""
    optimizer: Optimizer = SGD()
    """Optimizer."""
    scheduler: Scheduler = Constant()
    """Learning rate schedule."""
    regularization: Regularization = Regularization()
    """Regularization against overfitting."""
    distill: Distillation | None = None
    """Distillation from trained networks."""
    train: Train = Train()
    """Training length, precision and device."""

    def plain(self) -> dict[str, Any]:
        """The experiment as plain data, with all defaults; reading it gives the same experiment."""
        data: dict[str, Any] = self.model_dump(mode="json")
        return data
