"""The base of losses, and what they require of outputs.

A built loss takes outputs (N, outputs) and targets as the data has them: classes (N,) int64,
their probabilities (N, classes), as those of mixed samples, labels (N, L) from 0 to 1, or values
(N, T) of a regression.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from cnnctl.config.choice import Choice
from cnnctl.config.wording import times
from cnnctl.errors import ConfigPath, config_fault, either
from cnnctl.optim.working import LossWorking
from cnnctl.target import NOUNS, Target, TargetKind

Outputs = Literal["logits", "log_probabilities", "probabilities", "values"]
Normalizer = Callable[[Tensor], Tensor | int]
"""Targets of a batch -> the denominator of the mean loss."""

GIVEN: dict[TargetKind, str] = {
    "class": "classes",
    "labels": "several labels per sample",
    "values": "regression targets",
}
"""What the data has, in a message."""


class Loss(Choice, family="losses"):
    """A loss to minimise."""

    outputs: ClassVar[Outputs]
    """What the loss expects the outputs to represent."""
    takes: ClassVar[tuple[TargetKind, ...]] = ("class", "values")
    """The kinds of targets it supports."""
    takes_soft_targets: ClassVar[bool] = True
    """Whether targets may be probabilities of classes, as those of mixed samples are."""

    reduction: Literal["mean", "sum"] = "mean"
    """Reduce the loss of a batch by mean or sum."""

    def check_target(self, target: Target) -> None:
        """Check that the loss supports this kind of target.

        Raises:
            FaultError: it does not; the path is empty.
        """
        if target.kind in self.takes:
            self._check_soft(target)
            return
        wanted = either([NOUNS[kind] for kind in self.takes])
        message = f"{self.kind} needs {wanted}, but the data has {GIVEN[target.kind]}"
        losses = [loss for loss in Loss.kinds.values() if issubclass(loss, Loss)]
        fitting = [loss.kind for loss in losses if target.kind in loss.takes]
        raise config_fault(message, hint=f"use {either(fitting)}")

    def _check_soft(self, target: Target) -> None:
        if target.is_soft and not self.takes_soft_targets:
            message = f"{self.kind} needs classes, but the data has their probabilities"
            raise config_fault(message, hint="use cross_entropy")

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
            targets: those of all its samples, as the dataset has them.
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

    def work(self, outputs: Tensor, targets: Tensor) -> LossWorking:
        """The loss of one sample, term by term; by default, its terms are not known.

        Args:
            outputs: (1, outputs).
            targets: as the built loss takes them, for one sample.
        """
        return LossWorking("")

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


def need_outputs(
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


def need_length(given: object, count: int, each: str, *, path: ConfigPath) -> None:
    """Require a list to have this length."""
    if isinstance(given, list) and len(given) != count:
        message = f"has {len(given)} numbers, but {count} are needed"
        raise config_fault(message, hint=f"give one number per {each}", path=path)
