"""Samples that are the same, and pictures that are nearly so, within splits and across them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnctl.console import advancing
from cnnctl.data.pictures.similarity import Fingerprints, Positions, most_alike
from cnnctl.data.pictures.thumbnails import SIDE
from cnnctl.data.preparation import SplitName
from cnnctl.data.samples import DatasetInfo, Split, Splits
from cnnctl.verification.facts import Likenesses, Pair

SIDES = 2
"""Those of an image: height and width."""
DIGEST = 16
"""Bytes of a SHA-256 that are kept: enough to tell any two samples apart."""


def likenesses_of(
    splits: Splits, description: DatasetInfo, *, are_characters: bool = False
) -> Likenesses:
    """Read all samples, and compare each with all others.

    Letters, digits and tiny pictures are too much alike to be taken for copies of each other.
    """
    parts = [_Part(name, split) for name, split in _named(splits)]
    sides = description.shape[1:]
    are_images = len(sides) == SIDES and min(sides) >= SIDE and not are_characters
    digests, prints = _read(parts, are_images=are_images)
    all_samples = _All(parts, description)
    first = first_equal(digests)
    is_copy = first != np.arange(len(first))
    identical = [all_samples.pair(at, int(first[at])) for at in np.flatnonzero(is_copy).tolist()]
    similar = list[Pair]()
    if are_images:
        own = np.flatnonzero(~is_copy)
        numbers = np.repeat(np.arange(len(parts)), [len(part.split) for part in parts])
        found = most_alike(prints.take(own), numbers[own])
        similar = [all_samples.pair(int(own[pair.at]), int(own[pair.like])) for pair in found]
    return Likenesses(identical, similar, are_images)


def first_equal(digests: NDArray[np.uint64]) -> Positions:
    """For each digest, (N, 2), the position of the first that is equal to it, (N,)."""
    order = np.lexsort((np.arange(len(digests)), digests[:, 1], digests[:, 0]))
    ordered = digests[order]
    is_new = np.ones(len(order), dtype=np.bool_)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    first = np.empty(len(order), dtype=np.int64)
    first[order] = order[np.flatnonzero(is_new)[is_new.cumsum() - 1]]
    return first


@dataclass(frozen=True, slots=True)
class _Part:
    """A split, and its name."""

    name: SplitName
    split: Split


def _named(splits: Splits) -> Iterator[tuple[SplitName, Split]]:
    """The splits that have samples, in the order in which training uses them."""
    named: tuple[tuple[SplitName, Split], ...] = (
        ("train", splits.train),
        ("validation", splits.validation),
        ("test", splits.test),
    )
    return ((name, split) for name, split in named if len(split))


def _read(parts: Sequence[_Part], *, are_images: bool) -> tuple[NDArray[np.uint64], Fingerprints]:
    """A digest of each sample's inputs, (N, 2), and fingerprints of images."""
    digests = bytearray()

    def hashed(advance: Callable[[int], object]) -> Iterator[Tensor]:
        for part in parts:
            for chunk in part.split.chunks():
                rows = chunk.contiguous().numpy()
                digests.extend(b"".join(sha256(row.data).digest()[:DIGEST] for row in rows))
                advance(len(rows))
                yield chunk if are_images else torch.zeros(0, 3, 1, 1)

    with advancing(sum(len(part.split) for part in parts), "comparing") as advance:
        prints = Fingerprints.of(hashed(advance))
    return np.frombuffer(digests, dtype=np.uint64).reshape(-1, 2), prints


class _All:
    """The samples of all splits, one after the other."""

    def __init__(self, parts: Sequence[_Part], description: DatasetInfo) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *(len(part.split) for part in parts)])
        self._targets = [
            np.concatenate([part.split.target(target.name).numpy() for part in parts])
            for target in description.targets
            if target.kind != "values"  # which may be measured twice
        ]

    def pair(self, at: int, other: int) -> Pair:
        """Two samples by their positions."""
        split, name = self._called(at)
        other_split, other_name = self._called(other)
        differs = any((values[at] != values[other]).any() for values in self._targets)
        return Pair(split, name, other_split, other_name, bool(differs))

    def _called(self, at: int) -> tuple[SplitName, str]:
        number = int(np.searchsorted(self._starts, at, side="right")) - 1
        part = self._parts[number]
        position = int(part.split.positions[at - int(self._starts[number])])
        return part.name, part.split.samples.called(position)
