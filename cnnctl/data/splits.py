"""Which samples are held out: a fraction of them, chosen by a seed.

The streams are NumPy's RandomState over MT19937, which NumPy promises not to change: a split must
be the same years later, or a resumed run would train on validation samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]


def random_state(*seed: int) -> np.random.RandomState:
    """A stream of random numbers that is the same in every version of NumPy."""
    return np.random.RandomState(np.random.MT19937(seed))


def stratified_split(labels: Positions, *, held_out: int, seed: int) -> tuple[Positions, Positions]:
    """Positions that are kept and positions that are held out, both ascending.

    Takes (N,) labels from 0; the fraction is the same for every class, to within one sample.
    """
    counts = np.bincount(labels)
    order = random_state(seed).permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    starts, quotas = np.cumsum(counts) - counts, _quotas(counts, held_out)
    rank = np.arange(len(labels)) - np.repeat(starts, counts)
    return _parted(by_class[rank < np.repeat(quotas, counts)], len(labels))


def label_stratified_split(
    labels: NDArray[np.bool_], *, held_out: int, seed: int
) -> tuple[Positions, Positions]:
    """Positions that are kept and positions held out, both ascending; (N, L) labels in.

    Iterative stratification (Sechidis et al. 2011, https://doi.org/10.1007/978-3-642-23808-6_10):
    the label with the fewest samples left gives them first, each to the part that lacks more of
    that label. Unlike there, a label with two samples or more asks for one of them in each part,
    and a part that is full takes no more.
    """
    samples = len(labels)
    order = random_state(seed).permutation(samples)
    left = labels.sum(axis=0)
    quota = np.clip(left * held_out / samples, np.minimum(left - 1, 1), left - 1).clip(min=0)
    lacking, room = [left - quota, quota], [samples - held_out, held_out]
    part = np.full(samples, -1)
    while left.any():
        label = np.where(left > 0, left, samples + 1).argmin()
        for position in order[labels[order, label] & (part[order] < 0)]:
            wishes = [
                (space > 0, lack[label], space) for lack, space in zip(lacking, room, strict=True)
            ]
            chosen = int(wishes[1] > wishes[0])
            part[position] = chosen
            room[chosen] -= 1
            lacking[chosen] -= labels[position]
            left -= labels[position]
    unlabelled = order[part[order] < 0]
    part[unlabelled[: room[1]]] = 1
    return _parted(part == 1, samples)


def random_split(samples: int, *, held_out: int, seed: int) -> tuple[Positions, Positions]:
    """Positions that are kept and positions that are held out, both ascending."""
    return _parted(random_state(seed).permutation(samples)[:held_out], samples)


def _quotas(counts: Positions, total: int) -> Positions:
    """Divide `total` in proportion to `counts`, by largest remainder."""
    exact = counts * total / counts.sum()
    quotas: Positions = np.floor(exact).astype(np.int64)
    neediest = np.argsort(quotas - exact, kind="stable")
    quotas[neediest[: total - quotas.sum()]] += 1
    return quotas


def _parted(chosen: Positions, samples: int) -> tuple[Positions, Positions]:
    held = np.zeros(samples, dtype=bool)
    held[chosen] = True
    return np.flatnonzero(~held), np.flatnonzero(held)
