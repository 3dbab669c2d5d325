"""The average of the weights as code: exponential, or the slow weights of lookahead."""

from __future__ import annotations

from cnnctl.optim.regularizers import Regularization

BEGINNING = '''
from copy import deepcopy

import torch
from torch import nn


class Average:
    """{about}"""

    def __init__(self, network: nn.Module) -> None:
        self.network = deepcopy(network).requires_grad_(False)
        self.steps = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """{update}"""
'''
MOVING = """\
        decay = {decay}
        self.steps += 1
        for mean, weight in zip(self.network.parameters(), network.parameters()):
            mean.lerp_(weight, 1 - decay)
        for mean, value in zip(self.network.buffers(), network.buffers()):
            mean.copy_(value)
"""
SLOW = """\
        self.steps += 1
        if self.steps % {every}:
            return
        slow, fast = self.network.state_dict(), network.state_dict()
        for name, each in slow.items():
            if each.is_floating_point():
                each.lerp_(fast[name], {alpha!r})
                fast[name].copy_(each)
            else:
                each.copy_(fast[name])
"""


def average_source(settings: Regularization) -> str:
    """`Average`, whose `network` is evaluated and kept; empty if none is."""
    ema, lookahead = settings.ema, settings.lookahead
    if ema is not None:
        about = "A copy of a network whose weights are averages over the steps."
        update = "Move the averages towards the weights after a step."
        decay = repr(ema.decay)
        decay = f"min({decay}, (1 + self.steps) / (10 + self.steps))" if ema.warmup else decay
        return BEGINNING.format(about=about, update=update) + MOVING.format(decay=decay)
    if lookahead is not None:
        about = "Slow weights, to which the weights return every few steps (Zhang et al. 2019)."
        update = "Move the slow weights towards the weights, and these to them, if it is time."
        loop = SLOW.format(every=lookahead.every, alpha=lookahead.alpha)
        return BEGINNING.format(about=about, update=update) + loop
    return ""
