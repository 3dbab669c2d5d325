"""A dataset -> splits, and statistics of the training split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from cnnctl.data.dataset import DataSet, StoredSplit, data_root
from cnnctl.data.division import hold_out
from cnnctl.data.files import forget_tree
from cnnctl.data.samples import Samples, Split, Splits
from cnnctl.data.tables.reading import forget_table
from cnnctl.errors import config_fault, data_fault
from cnnctl.target import TargetKind, likeliest

SplitName = Literal["test", "validation", "train"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A dataset, read and split for training."""

    data: DataSet
    """The dataset with its statistics filled in, as written to config.yaml."""
    splits: Splits


def prepare(
    data: DataSet, *, seed: int, root: Path | None = None, download: bool = True
) -> Prepared:
    """Read a dataset, hold out validation, and compute statistics of the training split.

    `root` is the folder given for the data, if any. The test split is read, too, so that damage is
    found before training, not after it.

    Raises:
        FaultError: the data cannot be read, or is not enough for one batch.
    """
    data, root = data.located(root), root or data_root()
    train, validation = _read_and_cut(data, seed=seed, root=root, download=download)
    if data.drop_last and data.batch_size != "all" and len(train) < data.batch_size:
        message = f"{len(train)} training samples do not fill a batch of {data.batch_size}"
        raise data_fault(message, hint=f"use data.batch_size={len(train)}, or data.drop_last=false")
    read: dict[StoredSplit, Samples] = {"train": train.samples}
    if data.whole().has_test:
        read["test"] = data.load("test", root=root, download=download)
        test = _all_of(read["test"])
    else:
        test = Split(train.samples, train.positions[:0])
    _forget_sources()
    return Prepared(data.identified(read).fitted(train), Splits(train, validation, test))


def read_split(
    data: DataSet, name: SplitName, *, seed: int, root: Path | None = None, download: bool = True
) -> Split:
    """One split, as in `prepare`; only its file is read.

    Raises:
        FaultError: the data cannot be read.
    """
    data, root = data.located(root), root or data_root()
    if name == "test":
        split = _all_of(data.load("test", root=root, download=download))
    else:
        train, validation = _read_and_cut(data, seed=seed, root=root, download=download)
        split = train if name == "train" else validation
    _forget_sources()
    return split


def splits_of(data: DataSet) -> list[SplitName]:
    """The splits that are not empty, those least used in training first; nothing is read."""
    names: dict[SplitName, bool] = {
        "test": data.whole().has_test,
        "validation": data.has_validation,
        "train": True,
    }
    return [name for name, is_there in names.items() if is_there]


def cut(samples: Samples, *, kind: TargetKind, held_out: int, seed: int) -> tuple[Split, Split]:
    """Split samples: those kept and those held out.

    Unless the source has a validation split of its own, it is drawn at random, stratified by class
    or label and with each group on one side; the split then depends only on the targets, the
    groups, the seed and `held_out`.
    """
    if samples.validation is not None:
        held = samples.validation
        is_kept = torch.ones(len(samples), dtype=torch.bool).index_fill(0, held, False)
        kept = is_kept.nonzero()[:, 0]
    else:
        parts = hold_out(
            len(samples),
            held_out=held_out,
            seed=seed,
            classes=likeliest(samples.targets).numpy() if kind == "class" else None,
            labels=(samples.targets > 0.5).numpy() if kind == "labels" else None,
            groups=samples.groups,
        )
        kept, held = map(torch.from_numpy, parts)
    return Split(samples, kept), Split(samples, held)


def _read_and_cut(data: DataSet, *, seed: int, root: Path, download: bool) -> tuple[Split, Split]:
    whole, described = data.load("train", root=root, download=download), data.whole()
    if len(whole) != described.train_samples:
        data.identified({"train": whole})  # which says so if the files have changed
        count = f"{len(whole):,} training samples, not {described.train_samples:,}"
        message = f"{data.kind} has {count}"
        hint = "the files are damaged, or the dataset's description is wrong"
        raise data_fault(message, hint=hint)
    kind = described.targets[0].kind
    known = data.held_out(len(whole))
    is_by_groups = whole.groups is not None and whole.validation is None
    wanted = data.share_of(len(whole)) if is_by_groups else known
    kept, held = cut(whole, kind=kind, held_out=wanted, seed=seed)
    if is_by_groups and len(held) != known:
        message = f"{len(held):,} samples for validation, not {known:,}"
        hint = "remove data.samples for them to be counted again"
        raise config_fault(message, hint=hint, path=("samples",))
    return kept, held


def _forget_sources() -> None:
    """Free what several splits are read from."""
    forget_table()
    forget_tree()


def _all_of(samples: Samples) -> Split:
    return Split(samples, torch.arange(len(samples)))
