"""Sums over the ranks at every step, so that all of them take the step of the whole batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from cnnctl.training.tally import RunningSums
from cnnctl.world import World


@dataclass(frozen=True, slots=True)
class Reduction:
    """Sums gradients, losses and counts in one all-reduce, and averages running statistics.

    With one rank, it does nothing.
    """

    world: World
    parameters: Sequence[nn.Parameter]
    """Those that train, in the same order on all ranks."""
    statistics: Sequence[Tensor]
    """The means and variances that batch norm keeps for evaluation."""
    sums: RunningSums
    """What this rank counts in a step, before it is summed."""

    def total(self, size: Tensor | float) -> Tensor | float:
        """The sum of a number over all ranks."""
        if self.world.size == 1:
            return size
        return self.world.sum_(torch.as_tensor(size).clone())

    def counting(self, tally: RunningSums | None) -> RunningSums | None:
        """Where to add what this rank counts in a step: the tally, or sums to be reduced."""
        if tally is None or self.world.size == 1:
            return tally
        self.sums.clear()
        return self.sums

    def __call__(self, losses: list[Tensor], tally: RunningSums | None) -> list[Tensor]:
        """Sum the gradients, count the step in the tally, and return the loss of all ranks.

        A rank without a sample in a batch has no gradients, and its statistics do not count.
        """
        if self.world.size == 1:
            return losses
        has_part = bool(losses)
        loss = torch.stack(losses).sum() if losses else self.sums.sums.new_zeros(())
        gradients = [parameter.grad for parameter in self.parameters]
        flags = loss.new_tensor([float(has_part), *(float(g is not None) for g in gradients)])
        pieces = [
            *(torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters),
            *(each * float(has_part) for each in self.statistics),
            *(flags, loss, self.sums.sums),
        ]
        found = self._summed(pieces)
        of_gradients = found[: len(gradients)]
        flags, loss, counted = found[-3:]
        self._take_gradients(of_gradients, flags[1:])
        for each, total in zip(self.statistics, found[len(gradients) : -3], strict=True):
            each.copy_(total / flags[0])
        if tally is not None:
            tally.sums.add_(counted)
        return [loss]

    def _summed(self, pieces: Sequence[Tensor]) -> list[Tensor]:
        """The sums of these tensors over the ranks, in one all-reduce of float32."""
        flat = torch.cat([piece.detach().reshape(-1).float() for piece in pieces])
        parts = torch.split(self.world.sum_(flat), [piece.numel() for piece in pieces])
        return [part.view(piece.shape) for part, piece in zip(parts, pieces, strict=True)]

    def _take_gradients(self, sums: Sequence[Tensor], counts: Tensor) -> None:
        """Take the summed gradients, in the layout of the parameters.

        counts: how many ranks have one for each parameter; one that none has keeps none.
        """
        is_there = None
        for index, (parameter, total) in enumerate(zip(self.parameters, sums, strict=True)):
            if parameter.grad is None:
                is_there = counts.tolist() if is_there is None else is_there  # waits for a GPU
                if not is_there[index]:
                    continue
                parameter.grad = torch.empty_like(parameter)
            parameter.grad.copy_(total)


def running_statistics(network: nn.Module) -> Iterator[Tensor]:
    """The running means and variances that the next training step changes."""
    for module in network.modules():
        if isinstance(module, _NormBase) and module.training:
            kept = module.running_mean, module.running_var
            yield from (each for each in kept if each is not None)
