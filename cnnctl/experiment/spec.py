"""What an experiment is made of, section by section."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from cnnctl.config.bounds import PositiveInt
from cnnctl.config.choice import Spec, refusal
from cnnctl.config.wording import show
from cnnctl.data import sources as _sources  # declares the data sets
from cnnctl.data.dataset import DataSet
from cnnctl.data.sources.digits import Digits
from cnnctl.metrics import Monitor
from cnnctl.model.heads import Head
from cnnctl.model.layer import Name
from cnnctl.model.network import Model
from cnnctl.optim.losses import CrossEntropy, Loss
from cnnctl.optim.optimizers import SGD, Optimizer
from cnnctl.optim.regularizers import Regularization
from cnnctl.optim.schedulers import Scheduler
from cnnctl.optim.schedulers.decays import Constant

del _sources

Threads = Annotated[int, Field(gt=0, le=1024)]

_NAME = r"^[^/\\.\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*$"
_DEVICE = r"^(auto|cpu|cuda(:[0-9]{1,2})?)$"
NAME_BYTES = 200
"""What a file system takes is 255; a run folder adds a number."""


def is_fit_for_a_folder(name: str) -> bool:
    """Whether a run folder can have this name."""
    return bool(re.match(_NAME, name)) and name.isprintable() and len(name.encode()) <= NAME_BYTES


def _check_name(name: str) -> str:
    if not is_fit_for_a_folder(name):
        hint = f"use at most {NAME_BYTES} printable bytes, no / or \\, and no dot in front"
        raise refusal(f"{show(name)} cannot name a run folder", hint=hint)
    return name


def _check_device(device: str) -> str:
    if not re.match(_DEVICE, device):
        raise refusal(f"{show(device)} is no device", hint="write auto, cpu, cuda or cuda:1")
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
    """How long, how exactly and on what to train."""

    epochs: PositiveInt = 10
    """Times that every training sample is seen."""
    accumulate: PositiveInt = 1
    """Batches whose gradients are added up for one step of the optimizer."""
    device: Device = "auto"
    """`cpu`, `cuda` or `cuda:1`; `auto` takes a GPU where there is one."""
    precision: Literal["auto", "fp32", "tf32", "bf16"] = "auto"
    """Numbers of the forward pass; `auto` takes bf16 where the device computes it natively and a
    step is enough work for it to be faster."""
    memory_format: Literal["auto", "contiguous_format", "channels_last"] = "auto"
    """How images lie in memory; `auto` takes channels_last for convolutions on images."""
    compile: Literal["auto", "measure", "reduce-overhead", "max-autotune"] | bool = "auto"
    """Whether torch.compile is used, or its mode; `measure` tries it on the first batches and keeps
    it if it is faster, `auto` does not compile."""
    deterministic: bool = True
    """Same bits at every run on the same machine; false lets cuDNN pick faster algorithms."""
    threads: Threads | Literal["auto"] = "auto"
    """CPU threads; `auto` takes as many as torch does."""
    checkpoint_every: PositiveInt | None = None
    """Steps between checkpoints within an epoch; there is always one at its end."""
    monitor: Monitor = "auto"
    """What the best epoch is chosen by, on the validation split; `auto` is accuracy for classes
    and loss for values."""


class TrainedHead(Head):
    """Layers that make one answer of what the trunk gives, and what trains them."""

    loss: Loss | None = None
    """Its loss; the experiment's if left out."""
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """The factor of its loss in the sum of all."""


class Architecture(Model):
    """An architecture: layers, one after the other, and perhaps several heads."""

    heads: Mapping[Name, TrainedHead] = Field(default={})
    """Several answers from one network: layers for each target, by the target's name."""


class Experiment(Spec):
    """An architecture, a data set, and how the one learns the other."""

    written_out = ("base",)

    name: RunName = "experiment"
    """Names the run folder; the file's stem if left out."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Decides the weights, the order of the samples, augmentation and dropout."""
    plugins: list[str] = []
    """Python files that declare more kinds; they are run, so name only files you trust."""
    data: DataSet = Digits()
    """The data set."""
    model: Architecture
    """The architecture."""
    loss: Loss = CrossEntropy()
    """What is made small; heads may have their own."""
    optimizer: Optimizer = SGD()
    """What moves the weights."""
    scheduler: Scheduler = Constant()
    """How the learning rate changes."""
    regularization: Regularization = Regularization()
    """What keeps the network from learning the training data by heart."""
    train: Train = Train()
    """How to train."""

    def plain(self) -> dict[str, Any]:
        """The experiment as plain data, every default filled in; reading it gives it back."""
        data: dict[str, Any] = self.model_dump(mode="json")
        return data
