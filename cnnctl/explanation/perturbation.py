"""Methods that replace parts of an input by the mean, and watch what the network says then."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from cnnctl.explanation.attribution import Attribution
from cnnctl.explanation.request import Request

TOGETHER = 32
"""Changed samples that the network sees at a time."""


class Perturbation(Attribution):
    """A method that compares probabilities, or values, with parts of the input replaced."""

    package = "captum"
    is_signed: ClassVar[bool] = True


def unit_of(request: Request) -> str:
    """What the numbers of a map are differences of."""
    return "the value" if request.task.target.kind == "values" else "the probability"


def replaced_by(request: Request) -> str:
    """What replaces a part: 0 after normalisation."""
    return "the training mean" if request.subject.data.normalize else "0 (as encoded)"


def without_gradients(score: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same score, computed without what gradients would need."""
    return torch.no_grad()(score)
