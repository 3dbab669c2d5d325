"""A data set -> splits, and statistics of the training split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from cnnctl.data.dataset import DataSet
from cnnctl.data.samples import Samples, Split, Splits
from cnnctl.data.splits import label_stratified_split, random_split, stratified_split
from cnnctl.errors import data_fault
from cnnctl.target import TargetKind

SplitName = Literal["test", "validation", "train"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A data set, read and split for training."""

    data: DataSet
    """The data set with every measured number filled in, as config.yaml keeps it."""
    splits: Splits


def prepare(data: DataSet, *, seed: int, root: Path, download: bool = True) -> Prepared:
    """Read a data set, cut validation off its training split, and measure what is left.

    The test split is read, too, so that damage shows before the training and not after it.

    Raises:
        FaultError: the data can't be read, or does not suffice for one batch.
    """
    train, validation = _read_and_cut(data, seed=seed, root=root, download=download)
    if data.drop_last and data.batch_size != "all" and len(train) < data.batch_size:
        message = f"{len(train)} training samples do not fill a batch of {data.batch_size}"
        raise data_fault(message, hint=f"use data.batch_size={len(train)}, or data.drop_last=false")
    if data.whole().has_test:
        test = _all_of(data.load("test", root=root, download=download))
    else:
        test = Split(train.samples, train.positions[:0])
    return Prepared(data.fitted(train), Splits(train, validation, test))


def read_split(
    data: DataSet, name: SplitName, *, seed: int, root: Path, download: bool = True
) -> Split:
    """One split as `prepare` gives it; only the file that holds it is read.

    Raises:
        FaultError: the data can't be read.
    """
    if name == "test":
        return _all_of(data.load("test", root=root, download=download))
    train, validation = _read_and_cut(data, seed=seed, root=root, download=download)
    return train if name == "train" else validation


def splits_of(data: DataSet) -> list[SplitName]:
    """The splits that are not empty, the fairest measure first; nothing is read."""
    names: dict[SplitName, bool] = {
        "test": data.whole().has_test,
        "validation": data.validation > 0,
        "train": True,
    }
    return [name for name, is_there in names.items() if is_there]


def cut(samples: Samples, *, kind: TargetKind, held_out: int, seed: int) -> tuple[Split, Split]:
    """Cut samples in two, at random: what is kept and what is held out, of every class or label
    alike.

    The cut is a function of the targets, the seed and `held_out` alone.
    """
    targets = samples.targets.numpy()
    if kind == "class":
        parts = stratified_split(targets, held_out=held_out, seed=seed)
    elif kind == "labels":
        parts = label_stratified_split(targets > 0, held_out=held_out, seed=seed)
    else:
        parts = random_split(len(samples), held_out=held_out, seed=seed)
    kept, held = map(torch.from_numpy, parts)
    return Split(samples, kept), Split(samples, held)


def _read_and_cut(data: DataSet, *, seed: int, root: Path, download: bool) -> tuple[Split, Split]:
    whole, described = data.load("train", root=root, download=download), data.whole()
    if len(whole) != described.train_samples:
        count = f"{len(whole):,} training samples, not {described.train_samples:,}"
        message = f"{data.kind} has {count}"
        hint = "the files are damaged, or the data set's description is wrong"
        raise data_fault(message, hint=hint)
    kind = described.targets[0].kind
    return cut(whole, kind=kind, held_out=data.held_out(len(whole)), seed=seed)


def _all_of(samples: Samples) -> Split:
    return Split(samples, torch.arange(len(samples)))
