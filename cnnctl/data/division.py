"""Which of the samples of one source are for training, validation and testing.

All cuts are functions of their arguments alone; see `splits` for their random numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.splits import Positions, random_split, random_state, stratified_split


def hold_out(
    count: int,
    *,
    held_out: int,
    seed: int,
    labels: Positions | None = None,
    groups: Sequence[str] | None = None,
) -> tuple[Positions, Positions]:
    """Positions that are kept and positions held out of `count`, both ascending.

    Of every class the same share, where there are labels; no group in both, where there are groups.
    """
    if groups is not None:
        return grouped_split(groups, held_out=held_out, seed=seed, labels=labels)
    if labels is not None:
        return stratified_split(labels, held_out=held_out, seed=seed)
    return random_split(count, held_out=held_out, seed=seed)


def grouped_split(
    groups: Sequence[str], *, held_out: int, seed: int, labels: Positions | None = None
) -> tuple[Positions, Positions]:
    """Positions kept and held out, ascending, so that no group is in both.

    Groups are taken in random order, large ones first, as long as the classes held out come closer
    to their share of `held_out` samples. One group is always held out, and one is always kept.
    """
    names, member_of = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
    classes = np.zeros(len(groups), dtype=np.int64) if labels is None else labels
    counts = np.zeros((len(names), int(classes.max()) + 1), dtype=np.int64)
    np.add.at(counts, (member_of, classes), 1)
    chosen = _chosen_groups(counts, held_out=held_out, seed=seed)
    held = chosen[member_of]
    return np.flatnonzero(~held), np.flatnonzero(held)


def _chosen_groups(counts: Positions, *, held_out: int, seed: int) -> NDArray[np.bool_]:
    """The groups to hold out, of (groups, classes) counts."""
    order = random_state(seed).permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    missing = counts.sum(axis=0) * (held_out / counts.sum())
    chosen = np.zeros(len(counts), dtype=np.bool_)
    for group in order:
        left = missing - counts[group]
        if (left**2).sum() < (missing**2).sum():
            chosen[group], missing = True, left
    if not chosen.any():
        chosen[order[-1]] = True  # the smallest
    elif chosen.all():
        chosen[order[-1]] = False
    return chosen


def latest_split(times: Sequence[float], *, held_out: int) -> tuple[Positions, Positions]:
    """Positions kept and the `held_out` latest, both ascending; equal times stay in order."""
    order = np.argsort(np.asarray(times), kind="stable")
    kept, held = np.split(order, [len(order) - held_out])
    return np.sort(kept), np.sort(held)
