"""One YAML file, checked as a whole: the experiment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import nn

from cnnctl.config import overrides as command_line
from cnnctl.config.choice import Spec
from cnnctl.config.source import Node, locate, read_source
from cnnctl.config.validation import validate
from cnnctl.data import sources as _sources  # declares the data sets
from cnnctl.data.augmentation import Mixing
from cnnctl.data.dataset import DataSet
from cnnctl.data.samples import Description
from cnnctl.data.sources.digits import Digits
from cnnctl.errors import Fault, FaultError, config_fault, under
from cnnctl.model import network
from cnnctl.model.network import Model, Plan
from cnnctl.model.network import takes_batch_of_one as takes_no_single
from cnnctl.optim.losses import CrossEntropy, Loss
from cnnctl.optim.optimizers import SGD, Optimizer
from cnnctl.optim.regularizers import Regularization
from cnnctl.optim.schedulers import Scheduler
from cnnctl.optim.schedulers.decays import Constant
from cnnctl.plugins import load_plugins

__all__ = ["Experiment", "Loaded", "Train", "check", "load"]

del _sources

Count = Annotated[int, Field(gt=0)]


class Train(Spec):
    """How long, how exactly and on what to train."""

    epochs: Count = 10
    """Times that every training sample is seen."""
    accumulate: Count = 1
    """Batches whose gradients are added up for one step of the optimizer."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    """`cpu`, `cuda` or `cuda:1`; `auto` takes a GPU where there is one."""
    precision: Literal["auto", "fp32", "tf32", "bf16"] = "auto"
    """Numbers of the forward pass; `auto` takes bf16 where the device computes it natively."""
    memory_format: Literal["auto", "contiguous_format", "channels_last"] = "auto"
    """How images lie in memory; `auto` takes channels_last for convolutions on images."""
    compile: Literal["auto", "reduce-overhead", "max-autotune"] | bool = "auto"
    """Whether torch.compile is used, or its mode; `auto` compiles runs that are long enough."""
    deterministic: bool = True
    """Same bits at every run on the same machine; false lets cuDNN pick faster algorithms."""
    threads: Count | Literal["auto"] = "auto"
    """CPU threads; `auto` takes as many as torch does."""
    checkpoint_every: Count | None = None
    """Steps between checkpoints within an epoch; there is always one at its end."""
    monitor: Literal["auto", "loss", "accuracy"] = "auto"
    """What the best epoch is chosen by, on the validation split; `auto` is accuracy for classes
    and loss for values."""


class Experiment(Spec):
    """An architecture, a data set, and how the one learns the other."""

    name: Annotated[str, Field(pattern=r"^[^/\\.\x00-\x1f][^/\\\x00-\x1f]*$", max_length=100)] = (
        "experiment"
    )
    """Names the run folder; the file's stem if left out."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Decides the weights, the order of the samples, augmentation and dropout."""
    plugins: list[str] = []
    """Python files that declare more kinds; they are run, so name only files you trust."""
    data: DataSet = Digits()
    """The data set."""
    model: Model
    """The architecture."""
    loss: Loss = CrossEntropy()
    """What is made small."""
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

    def build_loss(self) -> nn.Module:
        """The loss as a module, label smoothing included."""
        return self.regularization.smoothed(self.loss).build()


@dataclass(frozen=True, slots=True)
class Loaded:
    """An experiment, the text it is from, and its network and data as far as they are known."""

    experiment: Experiment
    source: Node
    plan: Plan
    description: Description

    @contextmanager
    def places(self, *prefix: str) -> Iterator[None]:
        """Faults raised inside get the file, line and column of what they blame."""
        with placed(self.source, *prefix):
            yield


@contextmanager
def placed(source: Node, *prefix: str) -> Iterator[None]:
    """Give every fault without a place the one where its path, below `prefix`, was written."""
    try:
        yield
    except FaultError as raised:
        error = under(prefix, raised)
        faults = (f if f.place else replace(f, place=locate(source, f)) for f in error.faults)
        raise FaultError(*faults, exit_code=error.exit_code) from None


def load(path: FilePath, overrides: Sequence[str] = ()) -> Loaded:
    """Read an experiment from its file and check it as a whole.

    Raises:
        FaultError: everything that is wrong with it, each fault with its place.
    """
    source = command_line.apply(read_source(path), overrides)
    with placed(source):
        load_plugins(_plugin_files(source, path.parent))
        experiment = validate(Experiment, source)
        if "name" not in experiment.model_fields_set:
            experiment = experiment.model_copy(update={"name": path.stem})
        plan, description = check(experiment)
    return Loaded(experiment, source, plan, description)


def _plugin_files(source: Node, folder: FilePath) -> list[FilePath]:
    node = source.child("plugins")
    for item in node.children() if node else ():
        item.value = str(folder.resolve() / str(item.value))
    return [FilePath(str(item.value)) for item in (node.children() if node else ())]


def check(experiment: Experiment) -> tuple[Plan, Description]:
    """Check what no section can see alone: data against model, model against loss, …

    Raises:
        FaultError: all the faults found; paths are those of the experiment.
    """
    faults: list[Fault] = []
    plan: Plan | None = None
    with gathered(faults, "data"):
        description = experiment.data.describe()
    if faults:
        raise FaultError(*faults)
    with gathered(faults):
        plan = network.plan(experiment.model, input=description.shape, classes=description.outputs)
    for rule in RULES:
        faults += rule(experiment, description)
    if plan is not None:
        faults += _unfit_loss(experiment, description, plan)
        faults += _batches_of_one(experiment, description, plan)
    if faults or plan is None:
        raise FaultError(*faults)
    return plan, description


@contextmanager
def gathered(faults: list[Fault], *prefix: str | int) -> Iterator[None]:
    """Add the faults raised inside to a list, their paths put below `prefix`."""
    try:
        yield
    except FaultError as error:
        faults += under(prefix, error).faults


def _unfit_loss(experiment: Experiment, description: Description, plan: Plan) -> list[Fault]:
    faults: list[Fault] = []
    with gathered(faults, "loss"):
        experiment.loss.check(
            output=plan.output,
            classes=description.outputs,
            is_classification=description.is_classification,
        )
    return faults


def _batches_of_one(experiment: Experiment, description: Description, plan: Plan) -> list[Fault]:
    size, samples = experiment.data.batch_size, description.train_samples
    if size == 1:
        return [replace(f, cure="use data.batch_size >= 2") for f in takes_no_single(plan)]
    if size != "all" and samples % size == 1 and not experiment.data.drop_last:
        cure = f"the last of {samples} samples is alone; set data.drop_last=true"
        return [replace(f, cure=cure) for f in takes_no_single(plan)]
    return []


def _unfit_augmentations(experiment: Experiment, description: Description) -> list[Fault]:
    faults: list[Fault] = []
    for index, augmentation in enumerate(experiment.data.augment):
        with gathered(faults, "data", "augment", index, augmentation.kind):
            augmentation.check(description.shape)
            if isinstance(augmentation, Mixing) and not experiment.loss.takes_soft_targets:
                message = (
                    f"{augmentation.kind} mixes targets, which {experiment.loss.kind} cannot take"
                )
                raise config_fault(message, cure="use cross_entropy, or leave it out")
            if isinstance(augmentation, Mixing) and not description.is_classification:
                message = f"it mixes classes, and {experiment.data.kind} has none"
                raise config_fault(message, cure="leave it out")
    return faults


def _unfit_batch(experiment: Experiment, description: Description) -> list[Fault]:
    size, samples = experiment.data.batch_size, description.train_samples
    if size == "all" or size <= samples:
        return []
    message = f"{size} is more than the {samples} training samples"
    cure = f"use a batch_size <= {samples}, or all"
    return [Fault(message=message, cure=cure, path=("data", "batch_size"))]


def _unwatched(experiment: Experiment, description: Description) -> list[Fault]:
    faults = []
    if experiment.train.monitor == "accuracy" and not description.is_classification:
        message = f"{experiment.data.kind} has values to predict, so there is no accuracy"
        faults.append(Fault(message=message, cure="use loss", path=("train", "monitor")))
    stopping = experiment.regularization.early_stopping
    if stopping and stopping.monitor == "accuracy" and not description.is_classification:
        path = ("regularization", "early_stopping", "monitor")
        faults.append(Fault(message="there is no accuracy to watch", cure="use loss", path=path))
    if stopping and not experiment.data.validation:
        message = "early stopping watches the validation split, which is empty"
        where = ("regularization", "early_stopping")
        faults.append(Fault(message=message, cure="set data.validation=0.1", path=where))
    return faults


def _unfit_schedule(experiment: Experiment, description: Description) -> list[Fault]:
    faults: list[Fault] = []
    with gathered(faults, "scheduler"):
        experiment.scheduler.check(epochs=experiment.train.epochs, lr=experiment.optimizer.lr)
        watches_accuracy = experiment.scheduler.options().get("mode") == "max"
        if watches_accuracy and not description.is_classification:
            raise config_fault("there is no accuracy to watch", cure="use min", path=("mode",))
    return faults


def _given_twice(experiment: Experiment, _: Description) -> list[Fault]:
    faults: list[Fault] = []
    with gathered(faults, "regularization"):
        experiment.regularization.check(optimizer=experiment.optimizer, loss=experiment.loss)
    return faults


RULES: tuple[Callable[[Experiment, Description], list[Fault]], ...] = (
    _unfit_augmentations,
    _unfit_batch,
    _unwatched,
    _unfit_schedule,
    _given_twice,
)
"""What sections must agree on; a new rule is a function and its entry here."""
