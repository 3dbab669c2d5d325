"""Modules that torch.nn lacks; flat arguments, no configuration."""

from torch import Tensor, nn


class GlobalAvgPool(nn.Module):
    """The mean of each channel; (N, C, *) in, (N, C) out."""

    def forward(self, input: Tensor) -> Tensor:
        """Average over everything behind the channels."""
        return input.mean(dim=tuple(range(2, input.ndim)))


class GlobalMaxPool(nn.Module):
    """The largest value of each channel; (N, C, *) in, (N, C) out."""

    def forward(self, input: Tensor) -> Tensor:
        """Take the largest over everything behind the channels."""
        return input.amax(dim=tuple(range(2, input.ndim)))
