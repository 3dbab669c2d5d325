"""Focal loss on logits (Lin et al. 2017, https://arxiv.org/abs/1708.02002)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class FocalCriterion(nn.Module):
    """Cross-entropy in which a class of probability p counts (1 - p)^gamma times."""

    weight: Tensor | None

    def __init__(self, weight: Tensor | None, *, gamma: float, reduction: str) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.gamma = gamma
        self.reduction = reduction

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Logits (N, C) and classes (N,) or probabilities (N, C) in, one number out.

        The loss of probabilities is that of the classes, each times its probability. Means divide
        as those of `nn.CrossEntropyLoss` do, which this is where gamma is 0.
        """
        log_shares = outputs.log_softmax(dim=1)
        # at 0 the power has an infinite slope where gamma is less than 1
        rest = (-torch.expm1(log_shares)).clamp_min(torch.finfo(outputs.dtype).tiny)
        focused = rest**self.gamma * log_shares
        if not targets.is_floating_point():
            return functional.nll_loss(focused, targets, self.weight, reduction=self.reduction)
        shares = targets if self.weight is None else targets * self.weight
        total = -(shares * focused).sum()
        return total / len(targets) if self.reduction == "mean" else total
