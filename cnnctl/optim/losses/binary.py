"""Losses of each output by itself: of labels, or of classes."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, Self

import torch
from torch import Tensor, nn

from cnnctl.config.bounds import NonNegativeFloat, UnitInterval
from cnnctl.errors import below, config_fault
from cnnctl.optim.class_weights import counts_of, is_measured, numbers
from cnnctl.optim.losses.loss import GIVEN, Loss, need_length, need_outputs
from cnnctl.optim.value_criterion import ValueCriterion, as_values
from cnnctl.optim.working import LossWorking, Term, mean_of
from cnnctl.target import Target, likeliest

DEFAULT_THRESHOLD = 0.5


class BinaryLoss(Loss):
    """A loss of each output by itself: of labels, of classes, or one output of two classes."""

    takes = ("class", "labels")

    threshold: Literal["auto"] | UnitInterval | list[UnitInterval] = "auto"
    """Probability above which a label is predicted, one number for all or one per label; `auto`
    measures those of the highest F1 on the validation split, and is 0.5 without one."""

    def check(self, target: Target, *, output: tuple[int, ...]) -> None:
        path = ("threshold",)
        if target.kind != "labels" and self.threshold != "auto":
            message = f"is for labels, but the data has {GIVEN[target.kind]}"
            raise config_fault(message, hint="remove it", path=path)
        if isinstance(self.threshold, list):
            need_length(self.threshold, target.outputs, "label", path=("threshold",))

    def check_output(self, output: tuple[int, ...], target: Target) -> None:
        need_outputs(self.kind, output, target)

    def thresholds(self, labels: int) -> tuple[float, ...]:
        """The threshold of each label."""
        given = DEFAULT_THRESHOLD if isinstance(self.threshold, str) else self.threshold
        return tuple(given) if isinstance(given, list) else (given,) * labels

    def predict_labels(self, outputs: Tensor) -> Tensor:
        """Whether each label is predicted; (N, L) in, (N, L) bool out."""
        shares = self.activate(outputs.float())
        return shares > _on_device(self.thresholds(shares.shape[1]), shares.device)

    def work(self, outputs: Tensor, targets: Tensor) -> LossWorking:
        shares = self.activate(outputs.double())[0]
        wanted = as_values(targets, like=outputs)[0]
        symbol = "p" if self.outputs == "logits" else "y"
        of_one, factor = self.weights or [1.0] * len(shares), "w " if self.weights else ""
        working = LossWorking(f"Σ -{factor}t ln {symbol} - (1 - t) ln(1 - {symbol})")
        if symbol == "p":
            working.terms = [Term("p", "1 / (1 + exp(-z))", shares.float())]
        for share, target, weight in zip(shares, wanted.tolist(), of_one, strict=True):
            logs = share.log().clamp_min(-100), (1 - share).log().clamp_min(-100)  # as torch does
            working.add_logarithm(float(share), float(logs[0]), weight=weight * target)
            if target == 0:
                working.add("-ln(1 - {})", float(share), value=-float(logs[1]))
            elif target != 1:
                rest, value = 1 - target, -(1 - target) * float(logs[1])
                working.add(f"-{rest:g} · ln(1 - {{}})", float(share), value=value)
        if self.reduction == "mean":
            working.divisor = len(shares)
            working.formula = mean_of(working.formula, len(shares))
        return working

    @property
    def weights(self) -> list[float]:
        """The weight of positive targets of each output, if they have one."""
        return []


class BCE(BinaryLoss, kind="bce"):
    """Binary cross-entropy of probabilities, one per label or class; one does for two classes."""

    outputs = "probabilities"

    def build(self) -> nn.Module:
        return ValueCriterion(nn.BCELoss(reduction=self.reduction))

    def activate(self, outputs: Tensor) -> Tensor:
        return outputs


class BCEWithLogits(BinaryLoss, kind="bce_with_logits"):
    """Binary cross-entropy of logits, one per label or class; one does for two classes."""

    outputs = "logits"

    elsewhere = {"class_weights": "pos_weight", "class_weight": "pos_weight"}

    pos_weight: Literal["balanced"] | list[NonNegativeFloat] | None = None
    """Weight of positive targets, for each output (default: 1); `balanced` is the ratio of negative
    to positive samples in the training split."""

    def check(self, target: Target, *, output: tuple[int, ...]) -> None:
        super().check(target, output=output)
        need_length(self.pos_weight, output[0], "output", path=("pos_weight",))

    @property
    def is_fitted(self) -> bool:
        return is_measured(self.pos_weight)

    def fitted(self, targets: Tensor, target: Target, *, outputs: int) -> Self:
        if self.is_fitted:
            return self
        given = likeliest(targets) if target.kind == "class" else targets
        with below("pos_weight"):
            positive = counts_of(given, names=target.class_names)[-outputs:]
        ratios = [(len(targets) - count) / count for count in positive]
        return self.model_copy(update={"pos_weight": ratios})

    @property
    def weights(self) -> list[float]:
        return self.pos_weight if isinstance(self.pos_weight, list) else []

    def build(self) -> nn.Module:
        weight = numbers(self.pos_weight)
        return ValueCriterion(nn.BCEWithLogitsLoss(reduction=self.reduction, pos_weight=weight))

    def activate(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid()


@lru_cache(maxsize=32)
def _on_device(numbers: tuple[float, ...], device: torch.device) -> Tensor:
    """Numbers as float32; copied once, since every copy waits for the device."""
    return torch.tensor(numbers, device=device)
