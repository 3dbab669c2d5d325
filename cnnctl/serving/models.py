"""The networks that are served: opened, named, and described for those who ask them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnctl.data.dataset import DataSet
from cnnctl.data.sources.table import TableSet
from cnnctl.data.tables.columns import Category, Column, Measured
from cnnctl.experiment import Task
from cnnctl.explanation.methods import METHODS
from cnnctl.paths import is_folder
from cnnctl.prediction.answers import Answer, answer_each
from cnnctl.prediction.outputs import sizes_alike
from cnnctl.run_lookup import find_checkpoint, folder_of
from cnnctl.subject import Subject
from cnnctl.trained import TrainedNetwork, open_trained

HEAT_MAP = "grad-cam"
"""The method of heat maps; it needs no package of an extra."""


@dataclass(frozen=True)
class ServedModel:
    """A trained network with the name that requests choose it by."""

    name: str
    trained: TrainedNetwork

    @property
    def data(self) -> DataSet:
        """The dataset that it was trained on, which says what its inputs are."""
        return self.trained.experiment.data

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of blocks that give the answers of `cnnctl predict`, to the bit; rising."""
        trained = self.trained
        precision = trained.experiment.train.precision
        return sizes_alike(trained.network, trained.plan, trained.device, precision=precision)

    @cached_property
    def subject(self) -> Subject:
        """The same for explanations, without its dataset."""
        return Subject(self.trained, is_trained=True)

    @cached_property
    def heat_map(self) -> str | None:
        """The method of its heat maps; None where it has none."""
        is_possible = self.subject.is_pictures and not METHODS[HEAT_MAP].misfit(self.subject)
        return HEAT_MAP if is_possible else None

    @property
    def bytes_of_a_sample(self) -> int:
        """Memory of a sample, at most."""
        return 4 * prod(self.subject.shape)

    def answers(self, samples: Sequence[Tensor]) -> list[tuple[Answer, ...]]:
        """The answers for stored samples; the same as in any other company."""
        fitting = (size for size in self.sizes if size >= len(samples))
        return answer_each(self.trained, samples, size=next(fitting, self.sizes[-1]))

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What `GET /models` says about it."""
        network = self.trained.network
        return {
            "name": self.name,
            "parameters": sum(tensor.numel() for tensor in network.parameters()),
            "epoch": self.trained.epoch,
            "input": _input(self.subject),
            "tasks": [_task(task) for task in self.trained.tasks],
            "heat_map": self.heat_map,
        }


def open_models(
    sources: Sequence[Path], *, device: str = "auto", plugins: Sequence[Path] = ()
) -> list[ServedModel]:
    """The trained networks of run folders and checkpoints, each with a name of its own.

    Raises:
        FaultError: as for `open_trained`.
    """
    names = unique([name_of(source) for source in sources])
    return [
        ServedModel(name, open_trained(find_checkpoint(source), device=device, plugins=plugins))
        for name, source in zip(names, sources, strict=True)
    ]


def name_of(source: Path) -> str:
    """The name of a run, or of a file of weights that belongs to none."""
    if is_folder(source):
        return source.resolve().name
    run = folder_of(source.resolve())
    return run.name if run else source.stem


def unique(names: Sequence[str]) -> list[str]:
    """The names, of which those that were given before get a number: `a`, `a-2`."""
    taken = list[str]()
    for name in names:
        free = name if name not in taken else next(each for each in _numbered(name, names, taken))
        taken.append(free)
    return taken


def _numbered(name: str, *taken: Sequence[str]) -> Iterator[str]:
    for number in count(2):
        if not any(f"{name}-{number}" in names for names in taken):
            yield f"{name}-{number}"


def _input(subject: Subject) -> dict[str, Any]:
    """What the network takes: a picture, the row of a table, a vector or a signal."""
    data, shape = subject.data, subject.shape
    form = data.picture_form()
    if form is not None:
        height, width = form.size
        sides = {"width": width, "height": height, "channels": shape[0]}
        forms = {"mode": form.mode, "resize": form.resize}
        return {"kind": "picture", **sides, **forms, "paper": _paper(subject)}
    if isinstance(data, TableSet):
        columns = [_column(name, each) for name, each in data.columns.items() if each.width]
        return {"kind": "table", "columns": columns}
    names = list(data.input_names())
    if len(shape) == 1:
        return {"kind": "vector", "length": shape[0], "names": names}
    if len(shape) == 2:
        return {"kind": "signal", "channels": shape[0], "length": shape[1], "names": names}
    return {"kind": "array", "shape": list(shape)}


def _paper(subject: Subject) -> str:
    """The colour to draw on, black where the pictures that it was trained on are rather dark."""
    mean = torch.zeros(1, *subject.shape, device=subject.trained.device)
    return "black" if subject.in_units(mean).mean() < 0.5 else "white"


def _column(name: str, column: Column) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": name, "kind": column.kind}
    if isinstance(column, Category):
        return {**facts, "values": column.values}
    if isinstance(column, Measured):
        return {**facts, "mean": column.mean, "std": column.std}
    return facts


def _task(task: Task) -> dict[str, Any]:
    target = task.target
    facts: dict[str, Any] = {"name": task.name, "target": target.name, "kind": target.kind}
    if target.kind == "values":
        return {**facts, "values": target.outputs}
    facts["classes"] = list(target.class_names)
    if target.kind == "labels":
        facts["thresholds"] = list(task.thresholds)
    return facts
