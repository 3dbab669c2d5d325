"""Pictures that are nearly identical: the same one, saved or resized again.

Two steps, so that few pictures are compared and few are named wrongly. A difference hash (Krawetz,
"Kind of Like That", 2013: whether brightness rises from each pixel to the next, in a grey thumbnail
of 9x8) finds candidates, which differ in a few of its 64 bits. Of these, pictures are taken for the
same whose colour thumbnails correlate almost perfectly.

The candidates are looked up by multi-index hashing (Norouzi, Punjani and Fleet, "Fast Search in
Hamming Space with Multi-Index Hashing", 2012): hashes that differ in at most 7 of 64 bits differ in
at most one bit of one of four bands of 16.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

ROWS, COLUMNS = 8, 9
"""Of the grey thumbnail that is hashed; a bit for each pixel but the last of a row."""
SIDE = 16
"""Of the colour thumbnails that are compared."""
LUMA = (0.299, 0.587, 0.114)
BANDS, BITS = 4, 16
FARTHEST = 2 * BANDS - 1
"""Bits in which the hashes of candidates differ at most."""
ALIKE = 0.985
"""Correlation of two thumbnails from which on they show the same picture. Pictures saved as JPEG of
quality 50, or at half their size, stay above it."""
FLAT = 8.0
"""Standard deviation of the pixels of a thumbnail, of 255 levels, below which a picture shows
nothing that could be recognised."""
CROWDED = 2000
"""Pictures that share a band from which on it tells nothing; others of their bands do."""
PAIRS, TOGETHER = 2**20, 2**14
"""Pairs whose hashes, and whose thumbnails, are compared at a time."""

Hashes = NDArray[np.uint64]
Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """What is known of N pictures to compare them."""

    hashes: Hashes
    """(N,) difference hashes."""
    thumbnails: NDArray[np.uint8]
    """(N, 3 * SIDE * SIDE) pixels."""

    def __len__(self) -> int:
        return len(self.hashes)

    @classmethod
    def of(cls, batches: Iterable[Tensor]) -> Self:
        """The fingerprints of pictures in batches, (B, C, H, W) each, of any sizes."""
        parts = [(difference_hashes(batch), thumbnails_of(batch)) for batch in batches]
        if not parts:
            return cls(np.zeros(0, np.uint64), np.zeros((0, 3 * SIDE * SIDE), np.uint8))
        hashes, thumbnails = zip(*parts, strict=True)
        return cls(np.concatenate(hashes), np.concatenate(thumbnails))


def difference_hashes(images: Tensor) -> Hashes:
    """The difference hash of each picture; (N, C, H, W) in, (N,) out."""
    small = functional.adaptive_avg_pool2d(_grey(_in_levels(images)), (ROWS, COLUMNS))[:, 0]
    rises = (small[:, :, 1:] > small[:, :, :-1]).flatten(1).numpy()
    # every band has bits of all rows, so that a margin or a sky does not fill one of them
    spread = rises.reshape(len(rises), -1, BANDS).transpose(0, 2, 1).reshape(len(rises), -1)
    packed = np.packbits(spread, axis=1)
    return np.ascontiguousarray(packed).view(np.uint64)[:, 0]


def thumbnails_of(images: Tensor) -> NDArray[np.uint8]:
    """Small copies in colour; (N, C, H, W) in, (N, 3 * SIDE * SIDE) out."""
    levels = _in_levels(images)
    coloured = levels if levels.shape[1] == len(LUMA) else _grey(levels).expand(-1, 3, -1, -1)
    small = functional.adaptive_avg_pool2d(coloured, SIDE)
    return small.round().to(torch.uint8).flatten(1).numpy()


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture, and the one that it is like, by position."""

    at: int
    like: int
    likeness: float
    """The correlation of their thumbnails."""

    @property
    def rank(self) -> tuple[float, int]:
        """Smaller for a better pair with the same first picture."""
        return -self.likeness, self.like


def most_alike(prints: Fingerprints, parts: Positions | None = None) -> list[Pair]:
    """For each picture that has one, the most similar picture before it; ascending.

    With `parts`, (N,), only pictures of lower parts count as being before it. Pictures of nearly
    one colour are left out.
    """
    means, deviations = _moments(prints.thumbnails)
    known = np.flatnonzero(deviations >= FLAT)
    best: dict[int, Pair] = {}
    for first, second in _candidates(prints.hashes[known]):
        before, after = _in_order(known[first], known[second], parts)
        products = _mean_products(prints.thumbnails, before, after)
        covariances = products - means[before] * means[after]
        likenesses = covariances / (deviations[before] * deviations[after])
        for at in np.flatnonzero(likenesses >= ALIKE):
            pair = Pair(int(after[at]), int(before[at]), float(likenesses[at]))
            if pair.at not in best or pair.rank < best[pair.at].rank:
                best[pair.at] = pair
    return [best[at] for at in sorted(best)]


def _moments(thumbnails: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each thumbnail, (N,) each."""
    means, deviations = np.zeros(len(thumbnails)), np.zeros(len(thumbnails))
    for start in range(0, len(thumbnails), TOGETHER):
        part = slice(start, start + TOGETHER)
        means[part] = thumbnails[part].mean(axis=1)
        deviations[part] = thumbnails[part].std(axis=1)
    return means, deviations


def _mean_products(
    thumbnails: NDArray[np.uint8], some: Positions, others: Positions
) -> NDArray[np.float64]:
    """The mean product of the pixels of each pair, (P,)."""
    parts = [
        np.einsum(
            "pd,pd->p",
            thumbnails[some[start : start + TOGETHER]].astype(np.float32),
            thumbnails[others[start : start + TOGETHER]].astype(np.float32),
        )
        for start in range(0, len(some), TOGETHER)
    ]
    means: NDArray[np.float64] = np.concatenate([np.zeros(0), *parts]) / thumbnails.shape[1]
    return means


def _in_order(
    some: Positions, others: Positions, parts: Positions | None
) -> tuple[Positions, Positions]:
    """Pairs with the one before the other first; those of one part are left out."""
    if parts is None:
        return np.minimum(some, others), np.maximum(some, others)
    is_across = parts[some] != parts[others]
    some, others = some[is_across], others[is_across]
    is_before = parts[some] < parts[others]
    return np.where(is_before, some, others), np.where(is_before, others, some)


def _candidates(hashes: Hashes) -> Iterator[tuple[Positions, Positions]]:
    """Pairs of positions whose hashes differ in at most FARTHEST bits, each perhaps repeatedly."""
    for band in np.ascontiguousarray(hashes).view(np.uint16).reshape(-1, BANDS).T:
        order = np.argsort(band, kind="stable")
        keys = band[order].astype(np.int64)
        starts = np.concatenate([[0], np.bincount(keys, minlength=2**BITS).cumsum()])
        for flip in (0, *(1 << bit for bit in range(BITS))):
            probes = keys ^ flip
            first, end = starts[probes], starts[probes + 1]
            if not flip:
                first = np.arange(1, len(keys) + 1)
            # of two keys that differ in a bit, the one without it looks for the other
            counts = np.where(keys & flip == 0, end - first, 0)
            counts[starts[probes + 1] - starts[probes] > CROWDED] = 0
            for some, others in _expanded(first, counts):
                is_close = np.bitwise_count(hashes[order[some]] ^ hashes[order[others]]) <= FARTHEST
                yield order[some[is_close]], order[others[is_close]]


def _expanded(first: Positions, counts: Positions) -> Iterator[tuple[Positions, Positions]]:
    """Each position with the `counts` ones from `first` on, not too many at a time."""
    ends = counts.cumsum()
    start = 0
    while start < len(counts):
        base = ends[start] - counts[start]
        stop = max(start + 1, int(np.searchsorted(ends, base + PAIRS, side="right")))
        part = counts[start:stop]
        some = np.repeat(np.arange(start, stop), part)
        within = np.arange(len(some)) - np.repeat(part.cumsum() - part, part)
        yield some, first[some] + within
        start = stop


def _in_levels(images: Tensor) -> Tensor:
    """Pixels from 0 to 255 as float32; those of other types are scaled to this range."""
    if images.dtype == torch.uint8:
        return images.float()
    low, high = (
        extreme(images.float(), dim=(1, 2, 3), keepdim=True) for extreme in (torch.amin, torch.amax)
    )
    return (images.float() - low) * 255 / (high - low).clamp(min=1e-12)


def _grey(levels: Tensor) -> Tensor:
    if levels.shape[1] != len(LUMA):
        return levels.mean(dim=1, keepdim=True)
    return torch.einsum("nchw,c->nhw", levels, torch.tensor(LUMA))[:, None]
