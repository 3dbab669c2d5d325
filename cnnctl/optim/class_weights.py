"""Class weights that follow from how often each class occurs in the training split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from cnnctl.config.bounds import NonNegativeFloat, PositiveInt
from cnnctl.config.choice import Spec
from cnnctl.errors import ExitCode, Fault, FaultError, data_fault

NAMED = 3
"""Classes that a message names."""


class EffectiveNumber(Spec):
    """Weights by the effective number of samples of each class (Cui et al. 2019).

    A class of n samples is weighted by (1 - beta) / (1 - beta^n), scaled so that the weights add up
    to the number of classes; https://arxiv.org/abs/1901.05555.
    """

    effective_number: Annotated[float, Field(ge=0, lt=1)]
    """Beta: 0 weights all classes equally, values close to 1 by their inverse frequency."""
    counts: Literal["auto"] | list[PositiveInt] = "auto"
    """Samples of each class; `auto` counts those of the training split."""

    def weights(self) -> list[float]:
        """The weight of each class; the counts are known."""
        beta = self.effective_number
        parts = [(1 - beta) / (1 - beta ** int(count)) for count in self.counts]
        return [part * len(parts) / sum(parts) for part in parts]


ClassWeights = Literal["balanced"] | EffectiveNumber | list[NonNegativeFloat]


def is_measured(weights: ClassWeights | None) -> bool:
    """Whether the numbers are there, or none are needed."""
    return weights != "balanced" and getattr(weights, "counts", None) != "auto"


def measured(weights: ClassWeights, counts: Sequence[int]) -> ClassWeights:
    """The same weights with their numbers, from the samples of each class."""
    if isinstance(weights, EffectiveNumber):
        return weights.model_copy(update={"counts": list(counts)})
    return balanced(counts) if weights == "balanced" else weights


def balanced(counts: Sequence[int]) -> list[float]:
    """n / (classes * count) for each class, as scikit-learn's compute_class_weight has it."""
    return [sum(counts) / (len(counts) * count) for count in counts]


def numbers(weights: ClassWeights | None) -> Tensor | None:
    """The weight of each class as float32, (classes,).

    Raises:
        FaultError: they have not been measured.
    """
    if not is_measured(weights):
        message = "the class weights have not been measured"
        raise data_fault(message, hint="use a checkpoint, or the config.yaml of a run")
    if isinstance(weights, EffectiveNumber):
        weights = weights.weights()
    return None if weights is None else torch.tensor(weights)


def counts_of(targets: Tensor, *, names: Sequence[str]) -> list[int]:
    """The samples of each class or label; (n,) classes, or (n, labels) from 0 to 1 in.

    Raises:
        FaultError: there is none of some classes; the path is empty.
    """
    if targets.ndim == 1:
        counts = torch.bincount(targets, minlength=len(names))
    else:
        counts = (targets > 0.5).sum(dim=0)
    missing = [name for name, count in zip(names, counts.tolist(), strict=True) if not count]
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        named = f"{'classes' if missing[1:] else 'class'} {', '.join(missing[:NAMED])}{more}"
        message = f"no training samples of {named} to derive a weight from"
        hint = "give the weights as a list, or add samples"
        raise FaultError(Fault(message=message, hint=hint), exit_code=ExitCode.DATA)
    return [int(count) for count in counts.tolist()]
