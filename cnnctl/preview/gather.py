"""What a sheet shows: samples as stored and as training draws them, labels, learning rates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from cnnctl.config.wording import show
from cnnctl.data.augmentation import Augmentation
from cnnctl.data.device_store import Batch
from cnnctl.data.loader import Batches
from cnnctl.data.preparation import SplitName
from cnnctl.data.preprocessing import Preprocessing
from cnnctl.data.samples import Shape
from cnnctl.device import pick_device
from cnnctl.distillation.plan import without_teachers
from cnnctl.drawing.naming import Naming
from cnnctl.errors import FaultError, data_fault
from cnnctl.experiment import Loaded
from cnnctl.experiment.rates import Rates, rates_of
from cnnctl.preview.labels import Labeller
from cnnctl.training.setup import Setup, set_up

EPOCHS = 5
"""Epochs whose draws are shown."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A sample as the network sees it, in its original units, and its label."""

    values: Tensor
    """(C, H, W) pixels from 0 to 1, (C, L) or (F,)."""
    label: str


@dataclass(frozen=True, slots=True)
class Preview:
    """The content of a sheet."""

    name: str
    """The name of the experiment."""
    data: str
    """The kind of the dataset."""
    split: SplitName
    available: int
    """Samples in the split."""
    shape: Shape
    augmentations: list[str]
    """Those of the shown split, in their order."""
    columns: list[str]
    rows: list[list[Cell | None]]
    """For each sample its cells, the stored one first; None where an epoch leaves it out."""
    naming: Naming
    """Of the classes whose names the font lacks."""
    rates: Rates
    sizes: list[Shape]
    """Height and width of the images of every epoch; empty if they do not change."""
    is_other_device: bool
    """Whether it was drawn on the CPU, since the experiment's device is not available."""


def gather(
    loaded: Loaded, *, samples: int, split: SplitName = "train", data_root: Path | None = None
) -> Preview:
    """Read the data, and draw what training would draw.

    Raises:
        FaultError: bad data, or the split is empty.
    """
    available = _on_available_device(loaded)
    setup = set_up(without_teachers(available), data_root=data_root)
    with setup.memory_faults():
        return _gathered(setup, samples, split, is_other_device=available is not loaded)


def _on_available_device(loaded: Loaded) -> Loaded:
    """The same, or on the CPU if the experiment's device is not available."""
    experiment = loaded.experiment
    try:
        pick_device(experiment.train.device)
    except FaultError:
        train = experiment.train.model_copy(update={"device": "cpu"})
        return replace(loaded, experiment=experiment.model_copy(update={"train": train}))
    return loaded


def _gathered(setup: Setup, samples: int, split: SplitName, *, is_other_device: bool) -> Preview:
    experiment, batches = setup.experiment, _batches_of(setup, split)
    answers = [task for task in setup.loaded.tasks if not task.is_auxiliary]
    labeller = Labeller(answers, Preprocessing.of(experiment.data))
    rows = _chosen(batches, samples, is_shuffled=split == "train")
    epochs = min(EPOCHS, experiment.train.epochs) if batches.augment or batches.size_of else 0
    stored: list[Batch | None] = [batches.source.take(row) for row in torch.split(rows, 1)]
    drawn = [stored, *(list(draws(batches, rows, epoch=epoch)) for epoch in range(epochs))]
    return Preview(
        name=experiment.name,
        data=experiment.data.kind,
        split=split,
        available=len(batches.positions),
        shape=setup.loaded.description.shape,
        augmentations=[_written(each) for each in batches.augment],
        columns=["stored", *(f"epoch {epoch + 1}" for epoch in range(epochs))],
        rows=[[_cell(each, batches, labeller) for each in row] for row in zip(*drawn, strict=True)],
        naming=labeller.naming,
        rates=rates_of(experiment, batches=len(setup.batches.train)),
        sizes=_sizes(batches, epochs=experiment.train.epochs),
        is_other_device=is_other_device,
    )


def _sizes(batches: Batches, *, epochs: int) -> list[Shape]:
    return [] if batches.size_of is None else [*map(batches.size_of, range(epochs))]


def _batches_of(setup: Setup, split: SplitName) -> Batches:
    batches: Batches | None = getattr(setup.batches, split)
    if batches is None:
        message = f"{setup.experiment.data.kind} has no {split} split"
        raise data_fault(message, hint="leave out --split")
    return batches


def _chosen(batches: Batches, samples: int, *, is_shuffled: bool) -> Tensor:
    """Positions of some samples: the first of the first epoch, or evenly spread; (n,)."""
    if is_shuffled:
        first = list(dict.fromkeys(batches.order(0).tolist()))[:samples]
        return torch.tensor(first, device=batches.source.device)
    count = len(batches.positions)
    kept = torch.arange(min(samples, count), device=batches.source.device)
    return batches.positions[kept * count // len(kept)]


def draws(batches: Batches, rows: Tensor, *, epoch: int) -> Iterator[Batch | None]:
    """Samples (n,) as a step of this epoch gets them, (1, …) each; None for those it leaves out."""
    order, known = batches.order(epoch), dict[int, Batch]()
    for row in rows:
        places = (order == row).nonzero().flatten().tolist()
        step, place = divmod(places[0] if places else len(order), batches.batch_size)
        if not places or step >= len(batches):  # balanced sampling; drop_last
            yield None
            continue
        if step not in known:
            known[step] = next(batches.epoch(epoch, start=step))
        inputs, targets = known[step]
        yield inputs[place : place + 1].clone(), targets[place : place + 1]


def _cell(drawn: Batch | None, batches: Batches, labeller: Labeller) -> Cell | None:
    if drawn is None:
        return None
    inputs, targets = drawn
    values = batches.source.levels.undone(inputs)
    if batches.size_of is not None:
        values = functional.interpolate(values, batches.source.shape[1:], mode="nearest")
    return Cell(values[0].cpu(), labeller.label(targets))


def _written(augmentation: Augmentation) -> str:
    options: Sequence[str] = [f"{k}: {show(v)}" for k, v in augmentation.options().items()]
    return f"{augmentation.kind}: {{{', '.join(options)}}}" if options else augmentation.kind
