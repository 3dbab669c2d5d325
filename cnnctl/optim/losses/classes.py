"""Losses between a distribution over classes and the right class."""

from __future__ import annotations

from math import exp
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnctl.config.bounds import NonNegativeFloat, UnitInterval
from cnnctl.errors import below
from cnnctl.optim.class_weights import (
    ClassWeights,
    EffectiveNumber,
    counts_of,
    is_measured,
    measured,
    numbers,
)
from cnnctl.optim.focal_criterion import FocalCriterion
from cnnctl.optim.losses.loss import Loss, Normalizer, need_length, need_outputs
from cnnctl.optim.working import LossWorking, Term
from cnnctl.target import Target, likeliest


class ClassLoss(Loss):
    """A loss between a distribution over classes and the right class."""

    takes = ("class",)
    elsewhere = {"class_weights": "weight", "class_weight": "weight"}

    weight: ClassWeights | None = None
    """Weight of each class (default: equal weights); `balanced` is scikit-learn's, samples /
    (classes * samples of the class), and effective_number that of Cui et al. 2019. Both are
    measured on the training split."""

    def check(self, target: Target, *, output: tuple[int, ...]) -> None:
        if isinstance(self.weight, EffectiveNumber):
            need_length(self.weight.counts, target.outputs, "class", path=("weight", "counts"))
        need_length(self.weight, target.outputs, "class", path=("weight",))

    def check_output(self, output: tuple[int, ...], target: Target) -> None:
        need_outputs(self.kind, output, target, one_does=False)

    @property
    def is_fitted(self) -> bool:
        return is_measured(self.weight)

    def fitted(self, targets: Tensor, target: Target, *, outputs: int) -> Self:
        if self.weight is None or self.is_fitted:
            return self
        with below("weight"):
            counts = counts_of(likeliest(targets), names=target.class_names)
        return self.model_copy(update={"weight": measured(self.weight, counts)})

    @property
    def is_weighted(self) -> bool:
        return self.weight is not None

    def normalizer(self, *, outputs: int, device: torch.device) -> Normalizer:
        """The sum of the weights of the targets' classes; as in torch, the number of samples if
        there are no weights or targets are probabilities."""
        weight = numbers(self.weight)
        if weight is None:
            return len
        placed = weight.to(device)
        return lambda targets: (
            len(targets) if targets.is_floating_point() else placed.index_select(0, targets).sum()
        )

    def shares_of(
        self, targets: Tensor, *, like: Tensor, smoothing: float = 0.0
    ) -> tuple[Tensor, float]:
        """The weight of each class in the loss of one sample, and the divisor of the mean."""
        weight, classes = numbers(self.weight), like.shape[1]
        factors = torch.ones_like(like[0]) if weight is None else weight.to(like)
        is_mean = self.reduction == "mean" and not targets.is_floating_point()
        divisor = float(factors[targets[0]]) if is_mean else 1.0
        own = targets if targets.is_floating_point() else functional.one_hot(targets, classes)
        return factors * ((1 - smoothing) * own[0] + smoothing / classes), divisor


class CrossEntropy(ClassLoss, kind="cross_entropy"):
    """Cross-entropy between logits and classes, for classification."""

    outputs = "logits"

    label_smoothing: UnitInterval = 0.0
    """Share of the target spread over all classes (Szegedy et al. 2015)."""

    def build(self) -> nn.Module:
        return nn.CrossEntropyLoss(
            numbers(self.weight), reduction=self.reduction, label_smoothing=self.label_smoothing
        )

    def work(self, outputs: Tensor, targets: Tensor) -> LossWorking:
        smoothing = self.label_smoothing
        shares, divisor = self.shares_of(targets, like=outputs, smoothing=smoothing)
        working = _softmax_working(outputs, "Σ -t ln p", divisor)
        if smoothing:
            weighted = "w " if self.is_weighted else ""
            even = f"{smoothing:g} / {outputs.shape[1]}"
            formula = f"{weighted}({1 - smoothing:g} t + {even})"
            working.terms.append(Term("t", formula, shares))
        logs = outputs[0].double().log_softmax(0)
        for share, log in zip(shares.tolist(), logs.tolist(), strict=True):
            working.add_logarithm(exp(log), log, weight=share)
        return working

    def activate(self, outputs: Tensor) -> Tensor:
        return outputs.softmax(dim=1)


class Focal(ClassLoss, kind="focal"):
    """Cross-entropy that counts well-classified samples less (Lin et al. 2017)."""

    outputs = "logits"
    elsewhere = {**ClassLoss.elsewhere, "alpha": "weight"}

    gamma: NonNegativeFloat = 2.0
    """Focus on misclassified samples: the loss of a sample whose class has probability p is
    multiplied by (1 - p)^gamma; 0 is cross_entropy."""

    def build(self) -> nn.Module:
        return FocalCriterion(numbers(self.weight), gamma=self.gamma, reduction=self.reduction)

    def work(self, outputs: Tensor, targets: Tensor) -> LossWorking:
        shares, divisor = self.shares_of(targets, like=outputs)
        working = _softmax_working(outputs, f"Σ -t (1 - p)^{self.gamma:g} ln p", divisor)
        logs = outputs[0].double().log_softmax(0)
        for share, log in zip(shares.tolist(), logs.tolist(), strict=True):
            if share:
                p = exp(log)
                value = -share * (1 - p) ** self.gamma * log
                factor = "" if share == 1 else f"{share:g} · "
                formula = f"-{factor}(1 - {{}})^{self.gamma:g} · ln {{}}"
                working.add(formula, p, p, value=value)
        return working

    def activate(self, outputs: Tensor) -> Tensor:
        return outputs.softmax(dim=1)


class NLL(ClassLoss, kind="nll"):
    """Negative log-likelihood of log-probabilities, for classification."""

    outputs = "log_probabilities"
    takes_soft_targets = False

    def build(self) -> nn.Module:
        return nn.NLLLoss(numbers(self.weight), reduction=self.reduction)

    def work(self, outputs: Tensor, targets: Tensor) -> LossWorking:
        shares, divisor = self.shares_of(targets, like=outputs)
        working = LossWorking("Σ -t y", divisor=divisor)
        for share, log in zip(shares.tolist(), outputs[0].tolist(), strict=True):
            if share:
                factor = "" if share == 1 else f"{share:g} · "
                working.add(f"-{factor}{{}}", log, value=-share * log)
        return working

    def activate(self, outputs: Tensor) -> Tensor:
        return outputs.exp()


def _softmax_working(outputs: Tensor, formula: str, divisor: float) -> LossWorking:
    shares = Term("p", "exp(z) / Σ exp(z)", outputs[0].softmax(0))
    return LossWorking(formula, [shares], divisor=divisor)
