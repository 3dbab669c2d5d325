"""Which of the samples of one source are for training, validation and testing.

All cuts are functions of their arguments alone; see `splits` for their random numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnctl.config.wording import show
from cnnctl.data.splits import (
    Positions,
    label_stratified_split,
    random_split,
    random_state,
    stratified_split,
)
from cnnctl.errors import config_fault

CANDIDATES = 20
"""Groups of which the best is taken next."""


def hold_out(
    count: int,
    *,
    held_out: int,
    seed: int,
    classes: Positions | None = None,
    labels: NDArray[np.bool_] | None = None,
    groups: Sequence[str] | None = None,
) -> tuple[Positions, Positions]:
    """Positions that are kept and positions held out of `count`, both ascending.

    Stratified by class (N,) or label (N, L), if they are given. If groups are, no group is in both,
    and the number held out is only close to `held_out`, but for 0.
    """
    if not held_out:
        return np.arange(count), np.arange(0)
    if groups is not None:
        counted = np.ones((count, 1), dtype=np.int64) if labels is None else labels.astype(np.int64)
        if classes is not None:
            counted = np.eye(int(classes.max()) + 1, dtype=np.int64)[classes]
        return grouped_split(groups, counted, share=held_out / count, seed=seed)
    if classes is not None:
        return stratified_split(classes, held_out=held_out, seed=seed)
    if labels is not None:
        return label_stratified_split(labels, held_out=held_out, seed=seed)
    return random_split(count, held_out=held_out, seed=seed)


def check_room(classes: Positions, *, held_out: int, option: str) -> None:
    """Raise a FaultError where so many held out leave no sample of some class to train on."""
    count, known = len(classes), len(np.unique(classes))
    if held_out <= count - known:
        return
    message = f"{count:,} samples of {known:,} classes are too few to hold out {held_out:,}"
    share = int(1000 * (count - known) / count) / 1000
    hint = f"write {option}: {share:g}, or less, or merge classes of few samples"
    if not share:
        hint = f"write {option}: 0, or add samples to train on"
    raise config_fault(message, hint=hint, path=(option,))


def grouped_split(
    groups: Sequence[str], counted: Positions, *, share: float, seed: int
) -> tuple[Positions, Positions]:
    """Positions kept and held out, ascending, so that no group is in both.

    Groups are taken in random order, large ones first, the best of a few at a time, as long as what
    is held out comes closer to this share of every column of `counted`, (N, C). One group is always
    held out, and what is kept has all columns that there are.

    Raises:
        FaultError: there is only one group, or none can be held out.
    """
    names, member_of = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
    hint = "choose other groups, or hold out nothing: test: 0, validation: 0"
    if len(names) < 2:
        message = f"all {len(groups):,} samples are in one group, {show(names[0])}"
        raise config_fault(message, hint=hint, path=("group",))
    counts = np.zeros((len(names), counted.shape[1]), dtype=np.int64)
    np.add.at(counts, member_of, counted)
    chosen = _chosen_groups(counts, share=share, seed=seed)
    if not chosen.any():
        message = f"each of {len(names):,} groups has all samples of a class or label"
        raise config_fault(message, hint=hint, path=("group",))
    held = chosen[member_of]
    return np.flatnonzero(~held), np.flatnonzero(held)


def _chosen_groups(counts: Positions, *, share: float, seed: int) -> NDArray[np.bool_]:
    """The groups to hold out, of (groups, columns) counts; none if each has all of a column."""
    order = random_state(seed).permutation(len(counts))
    waiting = order[np.argsort(-counts[order].sum(axis=1), kind="stable")].tolist()
    by_size, kept = waiting[:], counts.sum(axis=0)
    wanted = kept * share + 1e-9
    missing, chosen = wanted, np.zeros(len(counts), dtype=np.bool_)
    while waiting:
        some = waiting[:CANDIDATES]
        left = missing - counts[some]
        distances = (left**2 / wanted).sum(axis=1)  # relative, so that rare columns count as well
        distances[_takes_all(counts[some], kept)] = np.inf
        best = int(distances.argmin())
        if distances[best] < (missing**2 / wanted).sum():
            missing, kept = left[best], kept - counts[waiting[best]]
            chosen[waiting.pop(best)] = True
        else:
            del waiting[:CANDIDATES]  # too large for what is missing, as they will remain
    if not chosen.any():
        possible = [at for at in by_size if not _takes_all(counts[[at]], kept)[0]]
        chosen[possible[-1:]] = True
    return chosen


def _takes_all(counts: Positions, kept: Positions) -> NDArray[np.bool_]:
    """Which of these groups have all samples that are kept of a column, (groups,)."""
    takes_all: NDArray[np.bool_] = ((counts > 0) & (counts == kept)).any(axis=1)
    return takes_all


def latest_split(times: Sequence[float], *, held_out: int) -> tuple[Positions, Positions]:
    """Positions kept and the `held_out` latest, both ascending; equal times stay in order."""
    order = np.argsort(np.asarray(times), kind="stable")
    kept, held = np.split(order, [len(order) - held_out])
    return np.sort(kept), np.sort(held)
