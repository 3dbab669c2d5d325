"""The parts that the samples of one source are cut into, as positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnctl.data.dataset import StoredSplit
from cnnctl.data.division import latest_split
from cnnctl.data.records import GivenSplit, test_part
from cnnctl.data.splits import Positions


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of all samples before they are cut into parts."""

    given: Sequence[GivenSplit | None]
    """The split that the source puts each sample in, if it does."""
    classes: Positions | None = None
    """The class of each sample as a number, (N,), to stratify by."""
    labels: NDArray[np.bool_] | None = None
    """The labels of each sample, (N, L), to stratify by."""
    groups: Sequence[str] | None = None
    """The group of each sample; no group is in two parts."""
    times: Sequence[float] | None = None
    """The time of each sample; the latest are for testing, those before them validation."""


@dataclass(frozen=True, slots=True)
class StoredPart:
    """The samples of a stored split; validation is a part of train."""

    rows: Positions
    """Their positions among all samples, ascending."""
    known: Known
    """What is known of them."""

    @property
    def validation(self) -> Tensor | None:
        """Positions of the validation split in it, (n,); None where it is yet to be drawn."""
        given = [at for at, split in enumerate(self.known.given) if split == "validation"]
        return torch.tensor(given) if given else None


def parts_of(
    known: Known, *, test: float | None, held_out: Callable[[int], int]
) -> dict[StoredSplit, StoredPart]:
    """The samples for training and for testing.

    test: the share to hold out for testing; None for the source's own test split, or 0.15.
    held_out: how many samples of those for training are for validation, where times decide.

    Raises:
        FaultError: there is a test split, and another is asked for; or one side gets nothing.
    """
    rows = test_part(
        known.given,
        test=test,
        classes=known.classes,
        labels=known.labels,
        groups=known.groups,
        times=known.times,
    )
    train = np.setdiff1d(np.arange(len(known.given)), rows)
    given = list(known.given)
    if known.times is not None and not any(given):
        own = [known.times[at] for at in train]
        for at in latest_split(own, held_out=held_out(len(train)))[1]:
            given[train[at]] = "validation"
    return {"train": _part(known, given, train), "test": _part(known, given, rows)}


def _part(known: Known, given: Sequence[GivenSplit | None], rows: Positions) -> StoredPart:
    own = Known(
        [given[at] for at in rows],
        known.classes[rows] if known.classes is not None else None,
        known.labels[rows] if known.labels is not None else None,
        [known.groups[at] for at in rows] if known.groups is not None else None,
    )
    return StoredPart(rows, own)
