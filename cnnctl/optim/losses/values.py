"""Losses that measure the distance between outputs and values."""

from __future__ import annotations

from torch import Tensor, nn

from cnnctl.config.bounds import NonNegativeFloat, PositiveFloat
from cnnctl.optim.losses.loss import Loss, need_outputs
from cnnctl.optim.value_criterion import ValueCriterion
from cnnctl.target import Target


class ValueLoss(Loss):
    """Distance between outputs and values; classes become 0 and 1."""

    outputs = "values"

    def check_output(self, output: tuple[int, ...], target: Target) -> None:
        need_outputs(self.kind, output, target)

    def activate(self, outputs: Tensor) -> Tensor:
        return outputs.clamp(0, 1)


class MSE(ValueLoss, kind="mse"):
    """Mean squared error: torch's MSELoss."""

    def build(self) -> nn.Module:
        return ValueCriterion(nn.MSELoss(reduction=self.reduction))


class MAE(ValueLoss, kind="mae"):
    """Mean absolute error: torch's L1Loss."""

    def build(self) -> nn.Module:
        return ValueCriterion(nn.L1Loss(reduction=self.reduction))


class Huber(ValueLoss, kind="huber"):
    """Squared error up to delta, absolute error beyond it (Huber 1964)."""

    delta: PositiveFloat = 1.0
    """Error at which the loss turns from squared to absolute."""

    def build(self) -> nn.Module:
        return ValueCriterion(nn.HuberLoss(reduction=self.reduction, delta=self.delta))


class SmoothL1(ValueLoss, kind="smooth_l1"):
    """Huber loss divided by beta, so that its slope is at most 1 (Girshick 2015)."""

    beta: NonNegativeFloat = 1.0
    """Error at which the loss turns from squared to absolute."""

    def build(self) -> nn.Module:
        return ValueCriterion(nn.SmoothL1Loss(reduction=self.reduction, beta=self.beta))
