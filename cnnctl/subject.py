"""The network that a command looks at, and samples to show it: trained, or as training starts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from cnnctl.config.wording import shape_of_sample
from cnnctl.data.dataset import DataSet
from cnnctl.data.device_store import DeviceStore
from cnnctl.data.download import used_folder
from cnnctl.data.inputs import find_inputs
from cnnctl.data.loader import Batches, evaluation_batches
from cnnctl.data.normalization import Levels
from cnnctl.data.preparation import SplitName, read_split, splits_of
from cnnctl.data.samples import Shape, Split, by_position
from cnnctl.device import pick_device
from cnnctl.distillation.plan import without_teachers
from cnnctl.errors import FaultError, config_fault, data_fault
from cnnctl.experiment import Experiment, Loaded, Task, starting_weights
from cnnctl.model.matching import fit_weights
from cnnctl.model.network import build
from cnnctl.sources import is_checkpoint, open_experiment, refuse_overrides
from cnnctl.trained import TrainedNetwork, open_trained
from cnnctl.training.setup import Setup, set_up

MAX_CHOSEN = 10_000
"""Samples that are looked at together."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Some samples, as the network takes them."""

    names: tuple[str, ...]
    """What to call each: its file, its line, or its position in the split."""
    inputs: Tensor
    """(N, …) float32, normalised, on the device."""
    targets: Tensor | None
    """As the loss takes them, (N, …); None where they are not known."""
    positions: tuple[int, ...] = ()
    """Positions in the split, from 0; empty for inputs that are not from the dataset."""
    split: SplitName | None = None

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Subject:
    """A network in evaluation mode, and the dataset that it is for."""

    trained: TrainedNetwork
    """With initial weights and epoch 0 if `is_trained` is false."""
    is_trained: bool
    data_root: Path | None = None
    setup: Setup | None = None
    """What training would start from; only without a checkpoint."""
    _known: dict[SplitName, tuple[Split, Batches]] = field(default_factory=dict, repr=False)

    @property
    def experiment(self) -> Experiment:
        """With its statistics filled in."""
        return self.trained.experiment

    @property
    def data(self) -> DataSet:
        """The dataset."""
        return self.experiment.data

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks of the network, without auxiliary classifiers."""
        return self.trained.tasks

    @property
    def shape(self) -> Shape:
        """The shape of a sample: (C, H, W), (C, L) or (F,)."""
        return self.data.whole().shape

    @property
    def is_pictures(self) -> bool:
        """Whether samples are pictures, (C, H, W)."""
        return len(self.shape) == 3

    @property
    def levels(self) -> Levels:
        """What normalisation makes of a black and of a white pixel, (C, 1, …) on the device."""
        batch_ndim = 1 + len(self.shape)
        levels = self.trained.preprocessing.levels(batch_ndim, self.shape[0])
        return levels.to(self.trained.device)

    def in_units(self, inputs: Tensor) -> Tensor:
        """Inputs (N, …) as they were before normalisation: pixels from 0 to 1, or raw numbers."""
        return self.levels.undone(inputs)

    def default_split(self) -> SplitName:
        """The split that `eval` measures: test, or else validation, or else train."""
        return splits_of(self.data)[0]

    def split(self, name: SplitName | None = None) -> tuple[Split, Batches]:
        """A split and its batches, which are not augmented; it is read once.

        Raises:
            FaultError: the data is missing or damaged, or the split is empty.
        """
        there = splits_of(self.data)
        name = name or there[0]
        if name not in there:
            message = f"the {name} split of {self.data.kind} is empty"
            raise data_fault(message, hint=f"use --split {' or '.join(there)}")
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    def batches(self, name: SplitName | None = None) -> Batches:
        """The batches of a split; see `split`."""
        return self.split(name)[1]

    def _read(self, name: SplitName) -> tuple[Split, Batches]:
        if self.setup is not None:
            splits, batches = self.setup.splits, self.setup.batches
            known: Split = getattr(splits, name)
            put: Batches | None = getattr(batches, name)
            if put is not None:
                return known, put
        seed, heads = self.experiment.seed, [task.name for task in self.tasks if task.name]
        split = read_split(self.data, name, seed=seed, root=self.data_root)
        device = self.trained.device
        store = DeviceStore.of(self.data, split.samples, device=device, targets=heads)
        return split, evaluation_batches(self.data, store, split)

    def chosen(self, positions: Sequence[int], name: SplitName | None = None) -> Chosen:
        """The samples at these positions of a split, counted from 0.

        Raises:
            FaultError: there is no such sample, or the data cannot be read.
        """
        name = name or self.default_split()
        split, batches = self.split(name)
        wrong = [each for each in positions if not 0 <= each < len(split)]
        if wrong:
            message = f"the {name} split has no sample {wrong[0]:,}"
            raise data_fault(message, hint=f"its {len(split):,} samples are counted from 0")
        rows = split.positions[torch.tensor(list(positions), dtype=torch.int64)]
        inputs, targets = batches.source.take(rows.to(batches.source.device))
        called = split.samples.called
        names = (
            f"{name} {position}" if called is by_position else called(row)
            for position, row in zip(positions, rows.tolist(), strict=True)
        )
        return Chosen(tuple(names), inputs, targets, tuple(positions), name)

    def files(self, words: Sequence[str]) -> Chosen:
        """The samples in these files, folders, archives, tables or arrays; `-` reads stdin.

        Raises:
            FaultError: one cannot be read, there are none, or too many.
        """
        names, inputs = list[str](), list[Tensor]()
        for each in find_inputs(words, self.data, stdin=sys.stdin.buffer):
            if len(names) == MAX_CHOSEN:
                message = f"more than {MAX_CHOSEN:,} inputs"
                raise data_fault(message, hint="name fewer files")
            stored = each.read()
            names.append(each.name)
            inputs.append(self.trained.preprocessing.inputs(stored[None]))
        if not names:
            raise data_fault("no inputs given", hint="name a file, or use --samples")
        return Chosen(tuple(names), torch.cat(inputs).to(self.trained.device), None)

    def numbers(self, text: str) -> Chosen:
        """One sample written as numbers, `1,2,3`, in the units of the dataset.

        Pixels are from 0 to 1; several dimensions are written one after the other.

        Raises:
            FaultError: a word is no finite number, or there are too few or too many.
        """
        words = text.replace(",", " ").split()
        values = [finite_number(word, option="--input", example="1,2.5,-3e-1") for word in words]
        if len(values) != prod(self.shape):
            expected = f"{prod(self.shape):,} for {shape_of_sample(self.shape)}"
            message = f"--input has {len(values):,} numbers, not {expected}"
            raise config_fault(message, hint="separate them by commas")
        stored = torch.tensor(values, dtype=torch.float32).reshape(1, *self.shape)
        inputs = self.trained.preprocessing.inputs(stored)
        return Chosen(("input",), inputs.to(self.trained.device), None)


def finite_number(word: str, *, option: str, example: str) -> float:
    """A number written on the command line.

    Raises:
        FaultError: it is none, or not finite; the hint is to write the option as in the example.
    """
    try:
        value = float(word)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        message = f"{option}: {word!r} is not a finite number"
        raise config_fault(message, hint=f'write {option} "{example}"')
    return value


def open_subject(
    source: Path,
    overrides: Sequence[str] = (),
    *,
    device: str = "auto",
    plugins: Sequence[Path] = (),
    data_root: Path | None = None,
) -> Subject:
    """The network of a YAML file or a name, as training starts, or of a run or a checkpoint.

    Without a checkpoint, the data is read, since statistics are measured on its training split.

    Raises:
        FaultError: the faults of the file, the checkpoint or the data; overrides for a checkpoint;
            the device is unavailable, or out of memory.
    """
    if is_checkpoint(source):
        refuse_overrides(overrides)
        trained = open_trained(source, device=device, plugins=plugins)
        root = used_folder(trained.experiment.data, data_root)
        return Subject(trained, is_trained=True, data_root=root)
    loaded = open_experiment(source, overrides, plugins, data_root=data_root)
    root = used_folder(loaded.experiment.data, data_root)
    return initial_subject(on_device(loaded, device), data_root=root)


def initial_subject(loaded: Loaded, *, data_root: Path | None = None) -> Subject:
    """The network of an experiment as training starts: its seed's weights, or those it names.

    Raises:
        FaultError: bad data or weights, the device is unavailable, or out of memory.
    """
    weights = starting_weights(loaded)
    setup = set_up(without_teachers(loaded), data_root=data_root)
    with setup.memory_faults():
        network = build(loaded.plan, seed=setup.experiment.seed, samples=setup.samples)
        if weights is not None:
            fit_weights(network, weights)
        layout = getattr(torch, setup.experiment.train.memory_format)
        network = network.to(setup.device).to(memory_format=layout).eval()
    tasks = tuple(task for task in loaded.tasks if not task.is_auxiliary)
    experiment = setup.experiment.model_copy(update={"distill": loaded.experiment.distill})
    trained = TrainedNetwork(experiment, loaded.plan, tasks, network, setup.device, 0)
    return Subject(trained, is_trained=False, data_root=data_root, setup=setup)


def on_device(loaded: Loaded, device: str) -> Loaded:
    """The experiment on this device; with `auto`, its own if it is available, or else the CPU."""
    experiment = loaded.experiment
    name = str(pick_device(device)) if device != "auto" else _available(experiment.train.device)
    train = experiment.train.model_copy(update={"device": name})
    return replace(loaded, experiment=experiment.model_copy(update={"train": train}))


def _available(device: str) -> str:
    try:
        pick_device(device)
    except FaultError:
        return "cpu"
    return device
