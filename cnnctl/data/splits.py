"""Which samples are held out: a fraction of them, chosen by a seed.

The streams are NumPy's RandomState over MT19937, which NumPy promises not to change: a split must
be the same years later, or a resumed run would train on validation samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]
TINY = 1e-9
"""More than a quotient of counts is off by."""


def random_state(*seed: int) -> np.random.RandomState:
    """A stream of random numbers that is the same in every version of NumPy."""
    return np.random.RandomState(np.random.MT19937(seed))


def stratified_split(labels: Positions, *, held_out: int, seed: int) -> tuple[Positions, Positions]:
    """Positions that are kept and positions that are held out, both ascending.

    Takes (N,) labels from 0. One sample of every class is kept, unless too many are held out for
    that; of the others, the fraction is the same for every class, to within one sample.
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
    a part that is full takes no more, and a sample of a label that would not be kept changes
    places with one whose labels are all kept elsewhere.
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
    is_held = part == 1
    _keep_every_label(labels, is_held, order)
    return _parted(is_held, samples)


def _keep_every_label(
    labels: NDArray[np.bool_], is_held: NDArray[np.bool_], order: Positions
) -> None:
    """Exchange samples held out for samples kept, until all labels are kept or none can be won."""
    kept = labels[~is_held].sum(axis=0)
    for label in np.flatnonzero((kept == 0) & labels.any(axis=0)):
        if kept[label]:
            continue  # with another label's sample
        others = order[~is_held[order]]
        spare = others[(kept - labels[others] > 0).all(axis=1, where=labels[others])]
        if len(spare):
            won = order[is_held[order] & labels[order, label]][0]
            is_held[won], is_held[spare[0]] = False, True
            kept += labels[won].astype(np.int64) - labels[spare[0]]


def random_split(samples: int, *, held_out: int, seed: int) -> tuple[Positions, Positions]:
    """Positions that are kept and positions that are held out, both ascending."""
    return _parted(random_state(seed).permutation(samples)[:held_out], samples)


def _quotas(counts: Positions, total: int) -> Positions:
    """Divide `total` in proportion to `counts`, by largest remainder.

    Every class gives all but one at most, if that is enough: the others then give more.
    """
    room = np.maximum(counts - 1, 0)
    exact, is_full = counts * total / counts.sum(), np.zeros(len(counts), dtype=np.bool_)
    while total <= room.sum() and (exact > room + TINY).any():
        is_full |= exact > room + TINY
        left = total - room[is_full].sum()
        exact = np.where(is_full, room, counts * left / counts[~is_full].sum())
    quotas: Positions = np.floor(exact).astype(np.int64)
    neediest = np.argsort(quotas - exact, kind="stable")
    quotas[neediest[: total - quotas.sum()]] += 1
    return quotas


def _parted(chosen: Positions, samples: int) -> tuple[Positions, Positions]:
    held = np.zeros(samples, dtype=bool)
    held[chosen] = True
    return np.flatnonzero(~held), np.flatnonzero(held)
