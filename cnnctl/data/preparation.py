"""A data set -> three splits, and the numbers that were measured on the training split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cnnctl.data.dataset import DataSet, RegressionSet
from cnnctl.data.normalization import Normalize, normalization_of
from cnnctl.data.samples import Samples, Splits
from cnnctl.data.splits import random_split, stratified_split
from cnnctl.errors import data_fault


@dataclass(frozen=True, slots=True)
class Prepared:
    """A data set, read and cut."""

    data: DataSet
    """The data set with every measured number filled in, as config.yaml keeps it."""
    splits: Splits

    @property
    def normalize(self) -> Normalize | None:
        """What inputs are normalised by."""
        return _given(self.data.normalize)

    @property
    def normalize_targets(self) -> Normalize | None:
        """What target values are normalised by; `undo` gives predictions in their own units."""
        return _given(self.data.normalize_targets) if isinstance(self.data, RegressionSet) else None


def prepare(data: DataSet, *, seed: int, root: Path, download: bool = True) -> Prepared:
    """Read a data set, cut validation off its training split, and measure what is left.

    The cut is a function of the seed and of `validation` alone.

    Raises:
        FaultError: the data can't be read, or does not suffice for one batch.
    """
    whole = data.load("train", root=root, download=download)
    expected, has_test = data.whole().train_samples, data.whole().has_test
    if len(whole) != expected:
        message = f"{data.kind} has {len(whole):,} training samples, not {expected:,}"
        hint = "the files are damaged, or the data set describes itself wrongly"
        raise data_fault(message, hint=hint)
    test = data.load("test", root=root, download=download) if has_test else whole.none()
    train, validation = cut(whole, held_out=data.held_out(len(whole)), seed=seed)
    if data.drop_last and data.batch_size != "all" and len(train) < data.batch_size:
        message = f"{len(train)} training samples do not fill a batch of {data.batch_size}"
        raise data_fault(message, hint=f"use data.batch_size={len(train)}, or data.drop_last=false")
    return Prepared(with_statistics(data, train), Splits(train, validation, test))


def cut(samples: Samples, *, held_out: int, seed: int) -> tuple[Samples, Samples]:
    """Cut samples in two, at random: what is kept and what is held out, of every class alike."""
    if samples.targets.is_floating_point():
        kept, held = random_split(len(samples), held_out=held_out, seed=seed)
    else:
        kept, held = stratified_split(samples.targets.numpy(), held_out=held_out, seed=seed)
    return samples.take(kept), samples.take(held)


def with_statistics(data: DataSet, train: Samples) -> DataSet:
    """The data set with `auto` replaced by what these samples measure."""
    measured: dict[str, Normalize] = {}
    if data.normalize == "auto":
        measured["normalize"] = normalization_of(train.inputs)
    if isinstance(data, RegressionSet) and data.normalize_targets == "auto":
        measured["normalize_targets"] = normalization_of(train.targets)
    return data.model_copy(update=measured)


def _given(normalize: str | Normalize | None) -> Normalize | None:
    return normalize if isinstance(normalize, Normalize) else None
