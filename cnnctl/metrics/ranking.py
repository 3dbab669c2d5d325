"""The samples ranked by the probability of each label: average precision and best thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Ranking:
    """Of each label, the samples from the likeliest to the least likely; (N, L) each."""

    probabilities: Tensor
    """Descending."""
    hits: Tensor
    """Samples down to this one that have the label."""
    is_cut: Tensor
    """Whether the next probability is lower, so that a threshold fits between the two."""


def ranked(probabilities: Tensor, targets: Tensor) -> Ranking:
    """Rank samples by probabilities (N, L) for labels (N, L) bool."""
    ordered, order = probabilities.sort(dim=0, descending=True)
    hits = targets.gather(0, order).cumsum(dim=0)
    is_cut = ordered > ordered.roll(-1, dims=0)
    is_cut[-1] = True
    return Ranking(ordered, hits, is_cut)


def average_precisions(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The average precision of each label, (L,) float64: the sum of its precisions times the steps
    of its recall, over all thresholds, as scikit-learn has it; NaN where no sample has the label.

    (N, L) probabilities and bool labels in.
    """
    import torch

    ranking = ranked(probabilities, targets)
    hits, last = ranking.hits, len(targets) - 1
    places = torch.arange(last + 1)[:, None].expand_as(hits)
    # samples of one probability are above a threshold together: the precision of their last one
    cuts = places.where(ranking.is_cut, last).flip(0).cummin(dim=0).values.flip(0)
    precisions = hits.gather(0, cuts).double() / (cuts + 1)
    found = hits.diff(dim=0, prepend=torch.zeros_like(hits[:1]))
    return (found * precisions).sum(dim=0) / hits[-1]


def best_thresholds(probabilities: Tensor, targets: Tensor, *, default: float) -> list[float]:
    """The threshold of each label above which its F1 is highest.

    Of several, the one nearest to `default`, which a label has that no sample has. (N, L)
    probabilities and bool labels in.
    """
    import torch

    ranking = ranked(probabilities, targets)
    above = torch.arange(1, len(targets) + 1)[:, None]
    f1 = 2 * ranking.hits.double() / (above + ranking.hits[-1])
    below = ranking.probabilities.roll(-1, dims=0)
    below[-1] = 0
    f1[below == ranking.probabilities] = 0
    is_best = (f1 == f1.max(dim=0).values) & (f1 > 0)
    chosen = []
    for label, column in enumerate(is_best.unbind(1)):
        ends = torch.stack([below[column, label], ranking.probabilities[column, label]], dim=1)
        cuts = [between(low, high, default) for low, high in ends.tolist()]
        chosen.append(min(cuts, key=lambda cut: abs(cut - default), default=default))
    return chosen


def between(low: float, high: float, default: float) -> float:
    """A threshold that `high` is above and `low` is not: `default`, or the middle in few digits.

    All three are compared as float32, as probabilities are.
    """
    from numpy import float32

    if low <= default < high:
        return default
    rounded = (round((low + high) / 2, digits) for digits in range(2, 10))
    return next((number for number in rounded if low <= float32(number) < high), low)
