"""Losses that measure the distance between outputs and values."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn

from cnnctl.config.bounds import NonNegativeFloat, PositiveFloat
from cnnctl.optim.losses.loss import Loss, need_outputs
from cnnctl.optim.value_criterion import ValueCriterion, as_values
from cnnctl.optim.working import LossWorking, mean_of
from cnnctl.target import Target


class ValueLoss(Loss):
    """Distance between outputs and values; classes become 0 and 1."""

    outputs = "values"

    def check_output(self, output: tuple[int, ...], target: Target) -> None:
        need_outputs(self.kind, output, target)

    def activate(self, outputs: Tensor) -> Tensor:
        return outputs.clamp(0, 1)

    def work(self, outputs: Tensor, targets: Tensor) -> LossWorking:
        errors = (outputs - as_values(targets, like=outputs))[0]
        working = LossWorking(self.formula)
        for error in errors.tolist():
            self.add_part(working, error)
        if self.reduction == "mean":
            working.divisor = len(errors)
            working.formula = mean_of(working.formula, len(errors))
        return working

    @property
    @abstractmethod
    def formula(self) -> str:
        """The sum over all outputs."""

    @abstractmethod
    def add_part(self, working: LossWorking, error: float) -> None:
        """Add the loss of one output."""


class MSE(ValueLoss, kind="mse"):
    """Mean squared error: torch's MSELoss."""

    def build(self) -> nn.Module:
        return ValueCriterion(nn.MSELoss(reduction=self.reduction))

    @property
    def formula(self) -> str:
        return "Σ (y - t)²"

    def add_part(self, working: LossWorking, error: float) -> None:
        working.add("{}²", error, value=error**2)


class MAE(ValueLoss, kind="mae"):
    """Mean absolute error: torch's L1Loss."""

    def build(self) -> nn.Module:
        return ValueCriterion(nn.L1Loss(reduction=self.reduction))

    @property
    def formula(self) -> str:
        return "Σ |y - t|"

    def add_part(self, working: LossWorking, error: float) -> None:
        working.add("|{}|", error, value=abs(error))


class Huber(ValueLoss, kind="huber"):
    """Squared error up to delta, absolute error beyond it (Huber 1964)."""

    delta: PositiveFloat = 1.0
    """Error at which the loss turns from squared to absolute."""

    def build(self) -> nn.Module:
        return ValueCriterion(nn.HuberLoss(reduction=self.reduction, delta=self.delta))

    @property
    def formula(self) -> str:
        return (
            f"Σ e² / 2, beyond {self.delta:g}: {self.delta:g} (|e| - {self.delta / 2:g}); e = y - t"
        )

    def add_part(self, working: LossWorking, error: float) -> None:
        if abs(error) <= self.delta:
            working.add("{}² / 2", error, value=error**2 / 2)
        else:
            value = self.delta * (abs(error) - self.delta / 2)
            formula = f"{self.delta:g} · (|{{}}| - {self.delta / 2:g})"
            working.add(formula, error, value=value)


class SmoothL1(ValueLoss, kind="smooth_l1"):
    """Huber loss divided by beta, so that its slope is at most 1 (Girshick 2015)."""

    beta: NonNegativeFloat = 1.0
    """Error at which the loss turns from squared to absolute."""

    def build(self) -> nn.Module:
        return ValueCriterion(nn.SmoothL1Loss(reduction=self.reduction, beta=self.beta))

    @property
    def formula(self) -> str:
        if not self.beta:
            return "Σ |y - t|"
        return f"Σ e² / {2 * self.beta:g}, beyond {self.beta:g}: |e| - {self.beta / 2:g}; e = y - t"

    def add_part(self, working: LossWorking, error: float) -> None:
        if abs(error) < self.beta:
            value = error**2 / (2 * self.beta)
            working.add(f"{{}}² / {2 * self.beta:g}", error, value=value)
        else:
            half = self.beta / 2
            working.add(f"(|{{}}| - {half:g})", error, value=abs(error) - half)
