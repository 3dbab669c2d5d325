"""The network that is exported: in float32 on the CPU, with real inputs where its data is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from cnnctl.config.source import Node
from cnnctl.data.device_store import DeviceStore
from cnnctl.data.download import used_folder
from cnnctl.data.loader import training_batches
from cnnctl.data.normalization import WHITE
from cnnctl.data.preparation import Prepared, SplitName, prepare, read_split, splits_of
from cnnctl.data.preprocessing import Preprocessing
from cnnctl.data.samples import Shape, Split
from cnnctl.device import memory_faults, use_precision
from cnnctl.errors import FaultError
from cnnctl.experiment import Experiment, Loaded, Task, fitted, starting_weights
from cnnctl.experiment.loaded import placed
from cnnctl.model.matching import fit_weights
from cnnctl.model.measured_initializers import Samples
from cnnctl.model.network import build
from cnnctl.sources import is_checkpoint, open_experiment, refuse_overrides
from cnnctl.trained import TrainedNetwork, open_trained

CPU = torch.device("cpu")
REAL = 8
"""Samples of the dataset that an export is checked with."""


@dataclass(frozen=True)
class Original:
    """A network to export, in evaluation mode."""

    trained: TrainedNetwork
    """Float32 and contiguous on the CPU; initial weights and epoch 0 if `is_trained` is false."""
    is_trained: bool
    samples: Tensor | None
    """Some samples of the dataset as it stores them, (N, …); None if it cannot be read."""
    unread: str = ""
    """Why the dataset cannot be read."""
    data_root: Path | None = None
    text: Node | None = None
    """The text of the experiment, which faults have places in; None for a checkpoint."""

    def places(self) -> AbstractContextManager[None]:
        """Add file, line and column to faults raised inside, if the experiment is from a file."""
        return placed(self.text) if self.text is not None else nullcontext()

    @property
    def experiment(self) -> Experiment:
        """With its statistics filled in, if they could be measured."""
        return self.trained.experiment

    @property
    def network(self) -> nn.Module:
        """The network; takes preprocessed inputs (N, …)."""
        return self.trained.network

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Its tasks, without auxiliary classifiers."""
        return self.trained.tasks

    @property
    def shape(self) -> Shape:
        """The shape of a sample."""
        return self.trained.plan.input

    @property
    def preprocessing(self) -> Preprocessing | None:
        """The preprocessing of its inputs; None if its statistics are unknown."""
        with suppress(FaultError):
            return self.trained.preprocessing
        return None

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of stored samples: uint8 for pixels, otherwise float32."""
        if self.samples is not None:
            return self.samples.dtype
        return torch.uint8 if self.experiment.data.has_pixels else torch.float32

    def inputs(self, stored: Tensor) -> Tensor:
        """Stored samples (N, …) as the network takes them.

        Raises:
            FaultError: the statistics are unknown.
        """
        return self.trained.preprocessing.inputs(stored)

    def split(self, name: SplitName) -> Split:
        """A split of the dataset, such as the training samples to calibrate with.

        Raises:
            FaultError: it is empty, or cannot be read; nothing is downloaded.
        """
        data, seed = self.experiment.data, self.experiment.seed
        return read_split(data, name, seed=seed, root=self.data_root, download=False)

    def random(self, count: int, *, raw: bool) -> Tensor:
        """Random inputs, (count, …): the same ones each time.

        Stored samples, such as bytes of pixels; if `raw`, or if the statistics are unknown,
        inputs as the network takes them.
        """
        generator = torch.Generator().manual_seed(self.experiment.seed)
        shape = (count, *self.shape)
        normal = torch.randn(shape, generator=generator)
        if raw or self.preprocessing is None:
            return normal
        if self.dtype == torch.uint8:
            return torch.randint(WHITE + 1, shape, generator=generator).to(torch.uint8)
        return self.preprocessing.levels(normal.ndim, shape[1]).undone(normal)


def open_original(
    source: Path,
    overrides: Sequence[str] = (),
    *,
    plugins: Sequence[Path] = (),
    data_root: Path | None = None,
) -> Original:
    """The network of a run or a checkpoint, or that of an experiment with its initial weights.

    Nothing is downloaded: where the data of an experiment is not there, statistics are unknown.

    Raises:
        FaultError: the faults of the file or the checkpoint; overrides for a checkpoint; its
            weights cannot be had; or out of memory.
    """
    with memory_faults(CPU):
        if is_checkpoint(source):
            refuse_overrides(overrides)
            return _trained(open_trained(source, device="cpu", plugins=plugins), data_root)
        loaded = open_experiment(source, overrides, plugins, data_root=data_root)
        return _initial(loaded, data_root)


def _trained(trained: TrainedNetwork, data_root: Path | None) -> Original:
    root = used_folder(trained.experiment.data, data_root)
    original = Original(_in_float32(trained), is_trained=True, samples=None, data_root=root)
    try:
        split = original.split(splits_of(trained.experiment.data)[0])
    except FaultError as error:
        return replace(original, unread=_reason(error))
    return replace(original, samples=_first(split))


def _initial(loaded: Loaded, data_root: Path | None) -> Original:
    root = used_folder(loaded.experiment.data, data_root)
    prepared, unread = _prepared(loaded.experiment, root)
    experiment = loaded.experiment
    if prepared is not None:
        experiment = experiment.model_copy(update={"data": prepared.data})
        with loaded.places():
            experiment = fitted(experiment, loaded.tasks, prepared.splits.train)
    samples = _samples_of(experiment, prepared) if prepared else None
    network = build(loaded.plan, seed=experiment.seed, samples=samples).eval()
    weights = starting_weights(loaded)
    if weights is not None:
        fit_weights(network, weights)
    tasks = tuple(task for task in loaded.tasks if not task.is_auxiliary)
    trained = TrainedNetwork(experiment, loaded.plan, tasks, network, CPU, 0)
    first = _first(prepared.splits.train) if prepared else None
    return Original(_in_float32(trained), False, first, unread, root, loaded.source)


def _samples_of(experiment: Experiment, prepared: Prepared) -> Samples:
    """Training samples for initializers that are measured on them."""

    def inputs(count: int) -> Iterator[Tensor]:
        train = prepared.splits.train
        store = DeviceStore.of(experiment.data, train.samples, device=CPU)
        batches = training_batches(experiment.data, store, train, seed=experiment.seed)
        return (part for part, _ in batches.spread(count))

    return inputs


def _prepared(experiment: Experiment, root: Path | None) -> tuple[Prepared | None, str]:
    """The data of an experiment, or why it cannot be read."""
    try:
        return prepare(experiment.data, seed=experiment.seed, root=root, download=False), ""
    except FaultError as error:
        return None, _reason(error)


def _reason(error: FaultError) -> str:
    fault = error.faults[0]
    return f"{fault.place}: {fault.message}" if fault.place else fault.message


def _first(split: Split) -> Tensor:
    """Samples from all of a split, whose classes may come one after the other."""
    chosen = torch.linspace(0, len(split) - 1, min(REAL, len(split))).round().long()
    return split.samples.rows.take(split.positions[chosen])


def _in_float32(trained: TrainedNetwork) -> TrainedNetwork:
    """The same network in float32, whatever it was trained in, with contiguous tensors."""
    use_precision("fp32", CPU)
    network = trained.network.float().to(memory_format=torch.contiguous_format)
    return replace(trained, network=network.requires_grad_(False).eval())
