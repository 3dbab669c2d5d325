"""Pictures that are nearly identical: the same one, saved or resized again.

Two steps, so that few pictures are compared and hardly any are named wrongly. A difference hash
(Krawetz, "Kind of Like That", 2013: where brightness rises from a pixel to the next, in a grey
thumbnail of 9x8) finds candidates, which differ in a few of its 64 bits. Of these, pictures are
taken for the same if their colour thumbnails correlate almost perfectly.

Candidates are looked up by multi-index hashing (Norouzi, Punjani and Fleet, "Fast Search in Hamming
Space with Multi-Index Hashing", 2012): hashes that differ in at most 7 of 64 bits differ in at most
one bit of one of four bands of 16.

The bounds are from CIFAR-10, whose test split has near-duplicates in train (Barz and Denzler, "Do
We Train on Test Data?", 2020), and from MNIST, where no picture is another one, however alike they
are: of 10,000 test pictures, 69 of CIFAR-10 are named and 7 of MNIST.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cnnctl.data.pictures.thumbnails import COLUMNS, ROWS, SIDE

LUMA = (0.299, 0.587, 0.114)
BANDS, BITS = 4, 16
FARTHEST = 2 * BANDS - 1
"""Bits in which the hashes of candidates differ at most."""
MARGIN = 2.0
"""Levels, of 255, by which brightness has to rise or fall to count, so that noise does not."""
DETAILED = 40
"""Rises and falls, of 64, from which on hashes of a picture may differ; below, they are equal."""
DETAILS, LIKENESSES = (32, 40, 48), (0.998, 0.99, 0.96)
"""Correlation that two thumbnails need, by the rises and falls of the plainer one: drawings and
digits are alike without being copies. Photos saved as JPEG of quality 50, or at half their size,
stay above 0.98."""
FLAT = 4.0
"""Standard deviation of a thumbnail's levels below which it shows nothing to recognise."""
CROWDED, NEIGHBOURS = 200, 16
"""Of more pictures in one bucket, such as the frames of a film, each is compared with so many whose
hashes come next, which is enough to find one that it is like."""
PAIRS, TOGETHER = 2**20, 2**14
"""Pairs whose hashes, and whose thumbnails, are compared at a time."""

EMPTY = torch.zeros(0, 3, SIDE, SIDE)
Hashes = NDArray[np.uint64]
Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """What is known of N pictures to compare them."""

    hashes: Hashes
    """(N,) difference hashes."""
    details: Positions
    """(N,) how often brightness rises or falls, of 64."""
    thumbnails: NDArray[np.uint8]
    """(N, 3 * SIDE * SIDE) pixels."""

    def __len__(self) -> int:
        return len(self.hashes)

    def take(self, positions: Positions) -> Fingerprints:
        """Those at these positions, in this order."""
        return Fingerprints(
            self.hashes[positions], self.details[positions], self.thumbnails[positions]
        )

    @classmethod
    def of(cls, batches: Iterable[Tensor]) -> Self:
        """The fingerprints of pictures in batches, (B, C, H, W) each, of any sizes."""
        return cls.joined(
            [cls(*difference_hashes(each), thumbnails_of(each)) for each in chain([EMPTY], batches)]
        )

    @classmethod
    def of_thumbnails(cls, grey: NDArray[np.float32], colour: NDArray[np.uint8]) -> Self:
        """The fingerprints of N pictures, from (N, ROWS, COLUMNS) and (N, 3 * SIDE * SIDE)."""
        return cls(*_hashed(grey), colour)

    @classmethod
    def joined(cls, parts: Sequence[Fingerprints]) -> Self:
        """The fingerprints of all parts, one after the other."""
        return cls(
            np.concatenate([part.hashes for part in parts]),
            np.concatenate([part.details for part in parts]),
            np.concatenate([part.thumbnails for part in parts]),
        )


def difference_hashes(images: Tensor) -> tuple[Hashes, Positions]:
    """The difference hash of each picture, and its details; (N, C, H, W) in, (N,) each out."""
    small = functional.adaptive_avg_pool2d(_grey(_in_levels(images)), (ROWS, COLUMNS))[:, 0]
    return _hashed(small.numpy())


def _hashed(small: NDArray[np.float32]) -> tuple[Hashes, Positions]:
    """The hashes and details of grey thumbnails, (N, ROWS, COLUMNS)."""
    steps = (small[:, :, 1:] - small[:, :, :-1]).reshape(len(small), ROWS * (COLUMNS - 1))
    # every band has bits of all rows, so that a margin or a sky does not fill one of them
    rises = (steps > MARGIN).reshape(-1, BITS, BANDS).transpose(0, 2, 1).reshape(-1, BITS * BANDS)
    hashes = np.packbits(rises, axis=1).view(np.uint64)[:, 0]
    return hashes, (np.abs(steps) > MARGIN).sum(axis=1)


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


def most_alike(prints: Fingerprints, parts: Positions | None = None) -> list[Pair]:
    """For each picture that has one, the most similar picture before it; ascending.

    With `parts`, (N,), only pictures of lower parts count as being before it. Pictures of nearly
    one colour are left out.
    """
    means, deviations = _moments(prints.thumbnails)
    likest, like = np.zeros(len(prints)), np.full(len(prints), -1)
    for some, others in _candidates(prints, np.flatnonzero(deviations >= FLAT)):
        before, after = _in_order(some, others, parts)
        products = _mean_products(prints.thumbnails, before, after)
        covariances = products - means[before] * means[after]
        likenesses = covariances / (deviations[before] * deviations[after])
        details = np.minimum(prints.details[before], prints.details[after])
        is_alike = likenesses >= np.interp(details, DETAILS, LIKENESSES)
        before, after, likenesses = before[is_alike], after[is_alike], likenesses[is_alike]
        order = np.lexsort((before, -likenesses, after))  # the best of each picture comes first
        at, first = np.unique(after[order], return_index=True)
        best = order[first]
        is_better = likenesses[best] > likest[at]
        likest[at[is_better]] = likenesses[best[is_better]]
        like[at[is_better]] = before[best[is_better]]
    found = np.flatnonzero(like >= 0).tolist()
    return [Pair(at, int(like[at]), float(likest[at])) for at in found]


def _candidates(prints: Fingerprints, known: Positions) -> Iterator[tuple[Positions, Positions]]:
    """Pairs of these pictures to compare, each perhaps repeatedly."""
    is_detailed = prints.details[known] >= DETAILED
    for chosen, find in ((known[is_detailed], _close), (known[~is_detailed], _equal)):
        for some, others in find(prints.hashes[chosen]):
            yield chosen[some], chosen[others]


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


def _close(hashes: Hashes) -> Iterator[tuple[Positions, Positions]]:
    """Pairs of positions whose hashes differ in at most FARTHEST bits; see CROWDED."""
    bands = np.ascontiguousarray(hashes).view(np.uint16).reshape(-1, BANDS)
    is_crowded = np.stack([_sizes(keys)[keys] > CROWDED for keys in bands.T], axis=1)
    for band in range(BANDS):
        order = np.lexsort((hashes, bands[:, band]))
        for some, others in _of_one_band(bands[order, band].astype(np.int64)):
            one, other = order[some], order[others]
            bits = np.bitwise_count(bands[one] ^ bands[other])
            # an earlier band has found it if that differs in one bit at most
            is_known = (bits <= 1) & ~is_crowded[one] & ~is_crowded[other]
            is_new = (bits.sum(axis=1) <= FARTHEST) & ~is_known[:, :band].any(axis=1)
            yield one[is_new], other[is_new]


def _sizes(keys: NDArray[Any]) -> Positions:
    """How often each key occurs, (2**BITS,)."""
    return np.bincount(keys, minlength=2**BITS)


def _of_one_band(keys: Positions) -> Iterator[tuple[Positions, Positions]]:
    """Pairs of positions in ascending keys that are equal, or differ in one bit."""
    sizes = _sizes(keys)
    starts = np.concatenate([[0], sizes.cumsum()])
    own = np.arange(len(keys))
    yield from _expanded(own + 1, _neighbours(own, starts[keys + 1], sizes[keys]))
    for flip in (1 << bit for bit in range(BITS)):
        # of two keys, the one without the bit looks for the other
        counts = np.where((keys & flip > 0) | (sizes[keys] > CROWDED), 0, sizes[keys ^ flip])
        yield from _expanded(starts[keys ^ flip], np.where(counts > CROWDED, 0, counts))


def _equal(hashes: Hashes) -> Iterator[tuple[Positions, Positions]]:
    """Pairs of positions whose hashes are equal; see CROWDED."""
    order = np.argsort(hashes, kind="stable")
    _, place, sizes = np.unique(hashes[order], return_inverse=True, return_counts=True)
    own = np.arange(len(order))
    for some, others in _expanded(own + 1, _neighbours(own, sizes.cumsum()[place], sizes[place])):
        yield order[some], order[others]


def _neighbours(own: Positions, ends: Positions, sizes: Positions) -> Positions:
    """How many of the next positions belong to the same bucket and are compared."""
    counts = ends - own - 1
    return np.where(sizes > CROWDED, np.minimum(counts, NEIGHBOURS), counts)


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
