"""Losses: one class per kind, with the arguments of its torch.nn class.

A built loss takes outputs (N, outputs) and targets as the data has them: classes (N,) int64,
probabilities (N, classes) where samples are mixed, labels (N, L) from 0 to 1, or values (N, T) of a
regression.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import lru_cache
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
from cnnctl.target import NOUNS, Target, TargetKind

Outputs = Literal["logits", "log_probabilities", "probabilities", "values"]
Normalizer = Callable[[Tensor], Tensor | int]
"""Targets of a batch -> the denominator of the mean loss."""
DEFAULT_THRESHOLD = 0.5


_GIVEN: dict[TargetKind, str] = {
    "class": "classes",
    "labels": "several labels per sample",
    "values": "regression targets",
}


class Loss(Choice, family="losses"):
    """A loss to minimise."""

    outputs: ClassVar[Outputs]
    """What the loss expects the outputs to represent."""
    takes: ClassVar[tuple[TargetKind, ...]] = ("class", "values")
    """The kinds of targets it supports."""
    takes_soft_targets: ClassVar[bool] = True
    """Whether targets may be probabilities, as those of mixed samples are."""

    reduction: Literal["mean", "sum"] = "mean"
    """Reduce the loss of a batch by mean or sum."""

    def check_target(self, target: Target) -> None:
        """Check that the loss supports this kind of target.

        Raises:
            FaultError: it does not; the path is empty.
        """
        if target.kind in self.takes:
            return
        wanted = either([NOUNS[kind] for kind in self.takes])
        message = f"{self.kind} needs {wanted}, but the data has {_GIVEN[target.kind]}"
        losses = [loss for loss in Loss.kinds.values() if issubclass(loss, Loss)]
        fitting = [loss.kind for loss in losses if target.kind in loss.takes]
        raise config_fault(message, hint=f"use {either(fitting)}")

    def check(self, target: Target, *, output: tuple[int, ...]) -> None:
        """Check the options against a supported target and a matching output.

        Args:
            target: the target to learn.
            output: the shape of the network's output for one sample.

        Raises:
            FaultError: they do not fit; paths are below the loss.
        """
        return

    @abstractmethod
    def check_output(self, output: tuple[int, ...], target: Target) -> None:
        """Check the output shape against the loss and the target.

        Raises:
            FaultError: it does not fit; the path is empty.
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
        """What `reduction: mean` divides by: here, the number of outputs of all samples.

        It depends only on the targets, in the form that the built loss takes, and never waits for
        the device.
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
        """The sum of the weights of the targets' classes; as in torch, the number of samples if
        there are no weights or targets are probabilities."""
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


class BinaryLoss(Loss):
    """A loss of each output by itself: of labels, of classes, or one output of two classes."""

    takes = ("class", "labels")

    threshold: Literal["auto"] | UnitInterval | list[UnitInterval] = "auto"
    """Probability above which a label is predicted, one number for all or one per label; `auto`
    measures those of the highest F1 on the validation split, and is 0.5 without one."""

    def check(self, target: Target, *, output: tuple[int, ...]) -> None:
        path = ("threshold",)
        if target.kind != "labels" and self.threshold != "auto":
            message = f"is for labels, but the data has {_GIVEN[target.kind]}"
            raise config_fault(message, hint="remove it", path=path)
        if isinstance(self.threshold, list):
            _need_length(self.threshold, target.outputs, "label", path=("threshold",))

    def check_output(self, output: tuple[int, ...], target: Target) -> None:
        _need_outputs(self.kind, output, target)

    def thresholds(self, labels: int) -> tuple[float, ...]:
        """The threshold of each label."""
        given = DEFAULT_THRESHOLD if isinstance(self.threshold, str) else self.threshold
        return tuple(given) if isinstance(given, list) else (given,) * labels

    def predict_labels(self, outputs: Tensor) -> Tensor:
        """Whether each label is predicted; (N, L) in, (N, L) bool out."""
        shares = self.activate(outputs.float())
        return shares > _on_device(self.thresholds(shares.shape[1]), shares.device)


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
        _need_length(self.pos_weight, output[0], "output", path=("pos_weight",))

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
    """Distance between outputs and values; classes become 0 and 1."""

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
    """Require one output per class, label or value; if `one_does`, a single one for two classes."""
    needed, is_class = target.outputs, target.kind == "class"
    last = f"linear: {needed if target.kind == 'values' else 'classes'}"
    if len(output) != 1:
        message = f"{kind} needs a vector, but the network outputs {times(output)}"
        raise config_fault(message, hint=f"end the network with flatten and {last}")
    one_does = one_does and is_class and needed == 2
    if output[0] == needed or (one_does and output[0] == 1):
        return
    noun = NOUNS[target.kind]
    if target.kind == "values":
        noun = "target value" if needed == 1 else "target values"
    message = f"the network outputs {output[0]} values, but the data has {needed} {noun}"
    hint = f"end the network with {last}{' or linear: 1' if one_does else ''}"
    raise config_fault(message, hint=hint)


def _need_length(given: object, count: int, each: str, *, path: ConfigPath) -> None:
    if isinstance(given, list) and len(given) != count:
        message = f"has {len(given)} numbers, but {count} are needed"
        raise config_fault(message, hint=f"give one number per {each}", path=path)


@lru_cache(maxsize=32)
def _on_device(numbers: tuple[float, ...], device: torch.device) -> Tensor:
    """Numbers as float32; copied once, since every copy waits for the device."""
    return torch.tensor(numbers, device=device)
