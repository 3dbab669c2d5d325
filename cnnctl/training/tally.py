"""The losses and counts of an epoch, summed on the device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(slots=True)
class RunningSums:
    """Sums over the current epoch, which stay on the device until it ends."""

    sums: Tensor
    """float64: the sum of each of the losses, those of the tasks and then those of distillation,
    and the denominators of their means; then the number of correct predictions of each task with
    classes, what the agreement with teachers follows from, and the number of samples."""
    weights: tuple[float, ...]
    """Weight of each task's loss in the total loss of the targets."""
    distilled: tuple[float, ...]
    """Weight of each loss of distillation."""
    parts: tuple[Tensor, ...]
    """Views of the sums: losses, normalizers, correct predictions, agreement, samples; `sums[0] +=
    …` would look up, add and copy back at every step."""
    agreeing: int = 0
    """How many sums the agreement follows from."""

    @classmethod
    def on(
        cls,
        device: torch.device,
        *,
        weights: Sequence[float],
        classifying: int,
        distilled: Sequence[float] = (),
        agreeing: int = 0,
    ) -> RunningSums:
        """Empty sums for tasks with these weights; `classifying` is how many have classes."""
        losses = len(weights) + len(distilled)
        before = 2 * losses + classifying
        sums = torch.zeros(before + agreeing + 1, dtype=torch.float64, device=device)
        heads = (sums[:losses], sums[losses : 2 * losses]) if losses > 1 else sums[:2].unbind()
        agreed = (sums[before : before + agreeing],) if agreeing else ()
        parts = (*heads, *sums[2 * losses : before], *agreed, sums[-1])
        return cls(sums, tuple(weights), tuple(distilled), parts, agreeing)

    def like(self) -> RunningSums:
        """Empty sums of the same things."""
        classifying = len(self.sums) - 2 * self.losses - self.agreeing - 1
        return RunningSums.on(
            self.sums.device,
            weights=self.weights,
            classifying=classifying,
            distilled=self.distilled,
            agreeing=self.agreeing,
        )

    def add(
        self, losses: Tensor, normalizers: Tensor | int, counts: Iterable[Tensor], samples: int
    ) -> None:
        """Add a batch: the sum and denominator of each of the losses, the numbers of correct
        predictions, the sums of the agreement, if there are any, and the number of samples."""
        counted: list[Tensor | int] = [losses, normalizers, *counts, samples]
        for part, more in zip(self.parts, counted, strict=True):
            part.add_(more)

    @property
    def samples(self) -> int:
        """Number of samples; waits for the device."""
        return int(self.sums[-1])

    def read(self) -> tuple[float, list[float]]:
        """Mean loss of the targets, and accuracy of each task; waits for the device."""
        *sums, samples = self.sums.tolist()
        right = sums[2 * self.losses : len(sums) - self.agreeing]
        loss = _weighted(self.weights, self.means()[: len(self.weights)])
        return loss, [_ratio(count, samples) for count in right]

    @property
    def losses(self) -> int:
        """The number of losses."""
        return len(self.weights) + len(self.distilled)

    def means(self) -> list[float]:
        """The mean of each of the losses; waits for the device."""
        sums, losses = self.sums.tolist(), self.losses
        return list(map(_ratio, sums[:losses], sums[losses : 2 * losses]))

    def distilled_loss(self) -> float:
        """What distillation adds to the loss of the targets; waits for the device."""
        return _weighted(self.distilled, self.means()[len(self.weights) :])

    def agreed(self) -> list[float]:
        """The sums that the agreement follows from; waits for the device."""
        sums: list[float] = self.sums.tolist()
        return sums[len(sums) - 1 - self.agreeing : -1]

    def clear(self) -> None:
        """Reset the sums."""
        self.sums.zero_()


def _weighted(weights: Sequence[float], values: Sequence[float]) -> float:
    """The sum of products."""
    return sum(weight * value for weight, value in zip(weights, values, strict=True))


def _ratio(total: float, size: float) -> float:
    return total / size if size else float("nan")
