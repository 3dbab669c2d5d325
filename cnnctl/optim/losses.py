"""Losses: one class per kind, with the arguments of its torch.nn class.

A built loss takes outputs (N, outputs) and targets as the data has them: classes (N,) int64,
probabilities (N, classes) where samples are mixed, or values (N, T) of a regression.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from cnnctl.config.bounds import NonNegativeFloat, PositiveFloat, UnitInterval
from cnnctl.config.choice import Choice
from cnnctl.config.wording import times
from cnnctl.errors import ConfigPath, below, config_fault, either
from cnnctl.optim.class_weights import (
    ClassWeights,
    EffectiveNumber,
    counts_of,
    is_measured,
    measured,
    numbers,
)
from cnnctl.optim.focal_criterion import FocalCriterion
from cnnctl.optim.value_criterion import ValueCriterion
from cnnctl.target import Target, TargetKind

Outputs = Literal["logits", "log_probabilities", "probabilities", "values"]
Normalizer = Callable[[Tensor], Tensor | int]
"""The targets of a batch -> what the mean of its losses divides their sum by."""


_NEEDED: dict[TargetKind, str] = {"class": "classes", "labels": "labels", "values": "values"}
_GIVEN: dict[TargetKind, str] = {
    "class": "classes",
    "labels": "several labels per sample",
    "values": "regression targets",
}


class Loss(Choice, family="losses"):
    """A loss to minimise."""

    outputs: ClassVar[Outputs]
    """What the loss expects the outputs to be."""
    takes: ClassVar[tuple[TargetKind, ...]] = ("class", "values")
    """The kinds of targets that it can be computed for."""
    takes_soft_targets: ClassVar[bool] = True
    """Whether targets may be probabilities, as mixed samples have them."""

    reduction: Literal["mean", "sum"] = "mean"
    """Reduce the loss of a batch by mean or sum."""

    def check_target(self, target: Target) -> None:
        """Check that the loss supports this kind of target.

        Raises:
            FaultError: it takes no such target; the path is empty.
        """
        if target.kind in self.takes:
            return
        wanted = either([_NEEDED[kind] for kind in self.takes])
        message = f"{self.kind} needs {wanted}, but the data has {_GIVEN[target.kind]}"
        losses = [loss for loss in Loss.kinds.values() if issubclass(loss, Loss)]
        fitting = [loss.kind for loss in losses if target.kind in loss.takes]
        hint = f"use {either(fitting)}" if fitting else "no loss supports them yet; use classes"
        raise config_fault(message, hint=hint)

    def check(self, target: Target, *, output: tuple[int, ...]) -> None:
        """Check the options against a supported target and a matching output.

        Args:
            target: what is learned.
            output: the shape of what the network gives for one sample.

        Raises:
            FaultError: they do not go together; paths are below the loss.
        """
        return

    @abstractmethod
    def check_output(self, output: tuple[int, ...], target: Target) -> None:
        """Check the output shape against the loss and the target.

        Raises:
            FaultError: its shape is not what the loss takes; the path is empty.
        """

    @property
    def is_fitted(self) -> bool:
        """Whether nothing is left to measure."""
        return True

    def fitted(self, targets: Tensor, target: Target, *, outputs: int) -> Self:
        """This loss with missing class weights filled in, from the training split alone.

        Args:
            targets: those of all its samples, as the data set has them.
            target: what they are of.
            outputs: how many the network gives for one sample.

        Raises:
            FaultError: a class has no sample; paths are below the loss.
        """
        return self

    @property
    def is_weighted(self) -> bool:
        """Whether samples of different classes count differently in the mean."""
        return False

    @abstractmethod
    def build(self) -> nn.Module:
        """Build the module: outputs (N, outputs) and targets in, one number out."""

    def normalizer(self, *, outputs: int, device: torch.device) -> Normalizer:
        """What `reduction: mean` divides by: here, the outputs of all samples.

        It follows from the targets alone, as the built loss takes them, and never waits for the
        device.
        """
        return lambda targets: outputs * len(targets)

    @abstractmethod
    def activate(self, outputs: Tensor) -> Tensor:
        """The probabilities that the outputs stand for; (N, outputs) in and out."""

    def probabilities(self, outputs: Tensor) -> Tensor:
        """The probability of each class; (N, outputs) in, (N, classes) float32 out."""
        shares = self.activate(outputs.float())
        return torch.cat([1 - shares, shares], dim=1) if shares.shape[1] == 1 else shares

    def predict(self, outputs: Tensor) -> Tensor:
        """The likeliest class; (N, outputs) in, (N,) int64 out."""
        if outputs.shape[1] == 1:
            return (self.activate(outputs.float())[:, 0] > 0.5).long()
        return outputs.argmax(dim=1)


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
            _need_length(self.weight.counts, target.outputs, "class", path=("weight", "counts"))
        _need_length(self.weight, target.outputs, "class", path=("weight",))

    def check_output(self, output: tuple[int, ...], target: Target) -> None:
        _need_outputs(self.kind, output, target, one_does=False)

    @property
    def is_fitted(self) -> bool:
        return is_measured(self.weight)

    def fitted(self, targets: Tensor, target: Target, *, outputs: int) -> Self:
        if self.weight is None or self.is_fitted:
            return self
        with below("weight"):
            counts = counts_of(targets, names=target.class_names)
        return self.model_copy(update={"weight": measured(self.weight, counts)})

    @property
    def is_weighted(self) -> bool:
        return self.weight is not None

    def normalizer(self, *, outputs: int, device: torch.device) -> Normalizer:
        """The weights of the targets' classes, added up; samples where there are no weights, and
        where targets are probabilities, as torch has it."""
        weight = numbers(self.weight)
        if weight is None:
            return len
        placed = weight.to(device)
        return lambda targets: (
            len(targets) if targets.is_floating_point() else placed.index_select(0, targets).sum()
        )


class CrossEntropy(ClassLoss, kind="cross_entropy"):
    """Cross-entropy between logits and classes, for classification."""

    outputs = "logits"

    label_smoothing: UnitInterval = 0.0
    """Share of the target spread over all classes (Szegedy et al. 2015)."""

    def build(self) -> nn.Module:
        return nn.CrossEntropyLoss(
            numbers(self.weight), reduction=self.reduction, label_smoothing=self.label_smoothing
        )

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

    def activate(self, outputs: Tensor) -> Tensor:
        return outputs.softmax(dim=1)


class NLL(ClassLoss, kind="nll"):
    """Negative log-likelihood of log-probabilities, for classification."""

    outputs = "log_probabilities"
    takes_soft_targets = False

    def build(self) -> nn.Module:
        return nn.NLLLoss(numbers(self.weight), reduction=self.reduction)

    def activate(self, outputs: Tensor) -> Tensor:
        return outputs.exp()


class BCE(Loss, kind="bce"):
    """Binary cross-entropy of probabilities: one output for two classes, or one per class."""

    outputs = "probabilities"
    takes = ("class",)

    def check_output(self, output: tuple[int, ...], target: Target) -> None:
        _need_outputs(self.kind, output, target)

    def build(self) -> nn.Module:
        return ValueCriterion(nn.BCELoss(reduction=self.reduction))

    def activate(self, outputs: Tensor) -> Tensor:
        return outputs


class BCEWithLogits(Loss, kind="bce_with_logits"):
    """Binary cross-entropy of logits: one output for two classes, or one per class."""

    outputs = "logits"
    takes = ("class",)

    elsewhere = {"class_weights": "pos_weight", "class_weight": "pos_weight"}

    pos_weight: Literal["balanced"] | list[NonNegativeFloat] | None = None
    """Weight of positive targets, for each output (default: 1); `balanced` is the ratio of negative
    to positive samples in the training split."""

    def check(self, target: Target, *, output: tuple[int, ...]) -> None:
        _need_length(self.pos_weight, output[0], "output", path=("pos_weight",))

    def check_output(self, output: tuple[int, ...], target: Target) -> None:
        _need_outputs(self.kind, output, target)

    @property
    def is_fitted(self) -> bool:
        return is_measured(self.pos_weight)

    def fitted(self, targets: Tensor, target: Target, *, outputs: int) -> Self:
        if self.is_fitted:
            return self
        with below("pos_weight"):
            positive = counts_of(targets, names=target.class_names)[-outputs:]
        ratios = [(len(targets) - count) / count for count in positive]
        return self.model_copy(update={"pos_weight": ratios})

    def build(self) -> nn.Module:
        weight = numbers(self.pos_weight)
        return ValueCriterion(nn.BCEWithLogitsLoss(reduction=self.reduction, pos_weight=weight))

    def activate(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid()


class ValueLoss(Loss):
    """A distance between outputs and values; classes become 0 and 1."""

    outputs = "values"

    def check_output(self, output: tuple[int, ...], target: Target) -> None:
        _need_outputs(self.kind, output, target)

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


def _need_outputs(
    kind: str, output: tuple[int, ...], target: Target, *, one_does: bool = True
) -> None:
    """One output for each class or value; or a single one for two classes, where `one_does`."""
    needed, is_class = target.outputs, target.kind == "class"
    last = f"linear: {'classes' if is_class else needed}"
    if len(output) != 1:
        message = f"{kind} needs a vector, but the network gives {times(output)}"
        raise config_fault(message, hint=f"end the network with flatten and {last}")
    one_does = one_does and is_class and needed == 2
    if output[0] == needed or (one_does and output[0] == 1):
        return
    wanted = f"{needed} {'classes' if is_class else 'target values'}"
    message = f"the network gives {output[0]} values, but the data has {wanted}"
    hint = f"end the network with {last}{' or linear: 1' if one_does else ''}"
    raise config_fault(message, hint=hint)


def _need_length(given: object, count: int, each: str, *, path: ConfigPath) -> None:
    if isinstance(given, list) and len(given) != count:
        message = f"has {len(given)} numbers, but {count} are needed"
        raise config_fault(message, hint=f"give one number per {each}", path=path)
