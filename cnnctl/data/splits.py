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
