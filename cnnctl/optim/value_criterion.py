"""A criterion between numbers, for targets of every form."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ValueCriterion(nn.Module):
    """A criterion between numbers, for targets of every form."""

    def __init__(self, criterion: nn.Module) -> None:
        super().__init__()
        self.criterion = criterion

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Outputs (N, outputs) and targets in the form of the data in, one number out."""
        loss: Tensor = self.criterion(outputs, as_values(targets, like=outputs))
        return loss


def as_values(targets: Tensor, *, like: Tensor) -> Tensor:
    """Targets as numbers in the shape of the outputs `like`, (N, outputs).

    Classes (N,) become one-hot, or 0 and 1 for a single output; of probabilities (N, 2), a single
    output takes the second; values (N, T) are unchanged.
    """
    width = like.shape[1]
    if not targets.is_floating_point():
        targets = targets[:, None] if width == 1 else functional.one_hot(targets, width)
    return targets[:, -width:].to(like.dtype)
