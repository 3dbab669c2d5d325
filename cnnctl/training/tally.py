"""The losses and counts of an epoch, summed on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnctl.experiment import Task

MOST_WAITING = 2**18
"""Outputs that wait to be counted, at most: 1 MB."""


@dataclass(slots=True)
class RunningSums:
    """Sums over the current epoch, which stay on the device until it ends."""

    kept: Tensor
    """The sums without what waits; see `sums`."""
    weights: tuple[float, ...]
    """Weight of each task's loss in the total loss of the targets."""
    distilled: tuple[float, ...]
    """Weight of each loss of distillation."""
    classifying: tuple[Task, ...]
    """The tasks whose correct predictions are counted."""
    parts: tuple[Tensor, ...]
    """Views of the sums: losses, normalizers, correct predictions, agreement, samples; `sums[0] +=
    …` would look up, add and copy back at every step."""
    agreeing: int = 0
    """How many sums the agreement follows from."""
    waiting: tuple[Tensor, Tensor] | None = None
    """Outputs and targets of samples whose correct predictions are not yet counted, copied: tensors
    of many steps that are kept would leave holes in the memory. On a CPU, those of many batches
    are counted together: one by one, it took 7 % of each step of an MLP for MNIST with 64
    samples."""
    waiting_samples: int = 0
    """How many of them there are; what follows is free."""
    waiting_size: int = 0
    """What they add to the normalizers."""

    @classmethod
    def on(
        cls,
        device: torch.device,
        *,
        weights: Sequence[float],
        classifying: Sequence[Task] = (),
        distilled: Sequence[float] = (),
        agreeing: int = 0,
    ) -> RunningSums:
        """Empty sums for tasks with these weights, and for those of them that have classes."""
        losses = len(weights) + len(distilled)
        before = 2 * losses + len(classifying)
        sums = torch.zeros(before + agreeing + 1, dtype=torch.float64, device=device)
        heads = (sums[:losses], sums[losses : 2 * losses]) if losses > 1 else sums[:2].unbind()
        agreed = (sums[before : before + agreeing],) if agreeing else ()
        parts = (*heads, *sums[2 * losses : before], *agreed, sums[-1])
        return cls(sums, tuple(weights), tuple(distilled), tuple(classifying), parts, agreeing)

    def like(self) -> RunningSums:
        """Empty sums of the same things."""
        return RunningSums.on(
            self.kept.device,
            weights=self.weights,
            classifying=self.classifying,
            distilled=self.distilled,
            agreeing=self.agreeing,
        )

    @property
    def sums(self) -> Tensor:
        """The sums, float64.

        The sum of each of the losses, those of the tasks and then those of distillation, and the
        denominators of their means; then the number of correct predictions of each task with
        classes, what the agreement with teachers follows from, and the number of samples.
        """
        self._count_waiting()
        return self.kept

    def add(
        self,
        losses: Tensor,
        normalizers: Tensor | int,
        outputs: Tensor,
        targets: Tensor,
        *,
        scale: Tensor | int = 1,
        agreement: Tensor | None = None,
    ) -> None:
        """Add a batch.

        losses: the sum of each of the losses, divided by `scale`.
        normalizers: the denominators of their means.
        agreement: the sums that the agreement follows from, if there are any.
        """
        if isinstance(scale, int):
            self.parts[0].add_(losses, alpha=scale)
        else:
            self.parts[0].add_(losses * scale)
        if isinstance(normalizers, int):
            self.waiting_size += normalizers
        else:
            self.parts[1].add_(normalizers)
        if agreement is not None:
            self.parts[-2].add_(agreement)
        outputs = outputs.detach()
        # on a GPU, nothing waits for operations to start
        if outputs.device.type != "cpu" or outputs.numel() > MOST_WAITING // 2:
            self._count(outputs, targets)
        else:
            self._let_wait(outputs, targets)

    @torch.no_grad()
    def count_right(self, outputs: Tensor, targets: Tensor) -> list[Tensor]:
        """Number of correct predictions of each task; see `Task.is_right`."""
        return [task.is_right(*task.of(outputs, targets)).sum() for task in self.classifying]

    def _let_wait(self, outputs: Tensor, targets: Tensor) -> None:
        if self.waiting is None:
            room = MOST_WAITING // max(1, outputs[:1].numel())  # for two batches at least
            self.waiting = _room_for(outputs, room), _room_for(targets, room)
        if self.waiting_samples + len(targets) > len(self.waiting[1]):
            self._count_waiting()
        begin, end = self.waiting_samples, self.waiting_samples + len(targets)
        for kept, more in zip(self.waiting, (outputs, targets), strict=True):
            kept[begin:end] = more
        self.waiting_samples = end

    def _count_waiting(self) -> None:
        if self.waiting is not None and self.waiting_samples:
            outputs, targets = (each[: self.waiting_samples] for each in self.waiting)
            self.waiting_samples = 0
            self._count(outputs, targets)

    def _count(self, outputs: Tensor, targets: Tensor) -> None:
        counts = self.parts[2 : 2 + len(self.classifying)]
        for part, right in zip(counts, self.count_right(outputs, targets), strict=True):
            part.add_(right)
        self.parts[1].add_(self.waiting_size)
        self.parts[-1].add_(len(targets))
        self.waiting_size = 0

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
        self.waiting_samples = self.waiting_size = 0
        self.kept.zero_()


def _room_for(batch: Tensor, samples: int) -> Tensor:
    return batch.new_empty((samples, *batch.shape[1:]))


def _weighted(weights: Sequence[float], values: Sequence[float]) -> float:
    """The sum of products."""
    return sum(weight * value for weight, value in zip(weights, values, strict=True))


def _ratio(total: float, size: float) -> float:
    return total / size if size else float("nan")
