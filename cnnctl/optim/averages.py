"""Averages of weights over the steps, which are evaluated and kept in their place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import deepcopy

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from cnnctl.optim.regularizers import Ema, Lookahead


class Average(ABC):
    """A copy of a network, `network`, whose weights are averages; its state is that of the copy."""

    symbol: str
    """What a worked computation calls an averaged weight."""

    def __init__(self, network: nn.Module) -> None:
        self.network = deepcopy(network).requires_grad_(False)
        self._weights = (list(self.network.parameters()), list(network.parameters()))
        self._buffers = (list(self.network.buffers()), list(network.buffers()))

    @abstractmethod
    def update(self, *, step: int) -> None:
        """Update the average with the current weights, after `step` earlier steps."""

    @abstractmethod
    def formula(self, *, step: int) -> str:
        """How that step computes an averaged weight, from its symbol and W."""


class MovingAverage(Average):
    """An exponential moving average (Polyak and Juditsky 1992).

    torch's AveragedModel copies its counter to the device at every update, which stalls the device.
    """

    symbol = "ema"

    def __init__(self, network: nn.Module, *, decay: float, warmup: bool) -> None:
        super().__init__(network)
        self.decay = decay
        self.warmup = warmup

    @torch.no_grad()
    def update(self, *, step: int) -> None:
        """Move the averages; buffers, such as the statistics of batch norm, are copied."""
        decay = ema_decay(step, decay=self.decay, warmup=self.warmup)
        averages, weights = self._weights
        get_ema_multi_avg_fn(decay)(averages, weights, step)  # type: ignore[no-untyped-call]
        for copy, buffer in zip(*self._buffers, strict=True):
            copy.copy_(buffer)

    def formula(self, *, step: int) -> str:
        decay = ema_decay(step, decay=self.decay, warmup=self.warmup)
        return f"{decay:g} ema + {1 - decay:g} W"


def ema_decay(step: int, *, decay: float, warmup: bool) -> float:
    """The decay in a step; with warm-up at most (1 + n) / (10 + n).

    As in TensorFlow's ExponentialMovingAverage.
    """
    return min(decay, (1 + step) / (10 + step)) if warmup else decay


class SlowWeights(Average):
    """Algorithm 1 of https://arxiv.org/abs/1907.08610: every few steps, the slow weights go a share
    of the way towards the weights, which then start from there.

    The statistics of norms take part, as in https://github.com/KellerJordan/cifar10-airbench.
    """

    symbol = "slow"

    def __init__(self, network: nn.Module, *, lookahead: Lookahead, steps: int) -> None:
        """`steps` are those of the whole run."""
        super().__init__(network)
        self.lookahead = lookahead
        self.steps = steps

    @torch.no_grad()
    def update(self, *, step: int) -> None:
        """Move the slow weights and return to them, if it is time; counters are copied."""
        if not self._is_due(step):
            return
        share = self._share(step)
        (slow, fast), (statistics, own_statistics) = self._weights, self._buffers
        for each, own in zip([*slow, *statistics], [*fast, *own_statistics], strict=True):
            if each.is_floating_point():
                each.lerp_(own, share)
                own.copy_(each)
            else:
                each.copy_(own)

    def formula(self, *, step: int) -> str:
        if not self._is_due(step):
            return "slow"
        return f"{1 - self._share(step):g} slow + {self._share(step):g} W"

    def _is_due(self, step: int) -> bool:
        return (step + 1) % self.lookahead.every == 0

    def _share(self, step: int) -> float:
        return self.lookahead.share(min((step + 1) / self.steps, 1.0))


def average_of(
    network: nn.Module, *, ema: Ema | None, lookahead: Lookahead | None, steps: int
) -> Average | None:
    """The average of a network's weights in a run of so many steps, if one is kept."""
    if ema is not None:
        return MovingAverage(network, decay=ema.decay, warmup=ema.warmup)
    if lookahead is not None:
        return SlowWeights(network, lookahead=lookahead, steps=steps)
    return None
