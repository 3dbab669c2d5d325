"""The answers of teachers to all training samples, computed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from cnnctl.data.loader import Batches
from cnnctl.distillation.teaching import Answers, Teaching

MOST_BYTES = 2**30
"""Answers that take more memory are computed for every batch instead."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The answers to all samples of a split, in float32."""

    answers: Answers
    """Each (N, …)."""
    number: Tensor
    """The number of the answer to each row of the store."""

    @classmethod
    def of(cls, teaching: Teaching, batches: Batches) -> Self | None:
        """The answers to all training samples; None where augmentation changes the samples, or
        the answers would take too much memory.

        They have the same bits as those to a batch.
        """
        if batches.augment:
            return None
        kept: list[Tensor] = []
        done = 0
        for inputs, targets in batches.in_order(batch_size=teaching.block, filled=True):
            count = len(targets)
            answers = [answer[:count] for answer in teaching.answers(inputs)]
            if not kept:
                kept = _room_for(answers, samples=len(batches.positions))
            if not kept:
                return None
            for whole, part in zip(kept, answers, strict=True):
                whole[done : done + count] = part
            done += count
        number = torch.zeros(len(batches.source), dtype=torch.int64, device=batches.source.device)
        number[batches.positions] = torch.arange(done, device=number.device)
        return cls(tuple(kept), number)

    def take(self, rows: Tensor) -> Answers:
        """The answers to the samples at these rows of the store, (B,)."""
        numbers = self.number.index_select(0, rows)
        return tuple(answer.index_select(0, numbers) for answer in self.answers)


def _room_for(answers: list[Tensor], *, samples: int) -> list[Tensor]:
    """Room for the answers to all samples; nothing if they take too much memory."""
    size = sum(answer[0].numel() * answer.element_size() for answer in answers)
    if size * samples > MOST_BYTES:
        return []
    return [answer.new_empty(samples, *answer.shape[1:]) for answer in answers]
