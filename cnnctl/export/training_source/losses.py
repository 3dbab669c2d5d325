"""Losses as code: the criterion with the options that differ, and the form of its targets."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from cnnctl.errors import config_fault
from cnnctl.experiment import Task
from cnnctl.export.training_source.layout import Code, call, literal
from cnnctl.optim.focal_criterion import FocalCriterion
from cnnctl.optim.losses.binary import DEFAULT_THRESHOLD
from cnnctl.optim.value_criterion import ValueCriterion

FOCAL = '''
import torch
from torch import Tensor, nn
from torch.nn import functional


class FocalLoss(nn.Module):
    """Cross-entropy in which a class of probability p counts (1 - p)^gamma times."""

    def __init__(self, weight=None, *, gamma: float, reduction="mean") -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.gamma, self.reduction = gamma, reduction

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        log_shares = outputs.log_softmax(dim=1)
        rest = (-log_shares.expm1()).clamp_min(torch.finfo(outputs.dtype).tiny)
        focused = rest**self.gamma * log_shares
        if not targets.is_floating_point():
            return functional.nll_loss(
                focused, targets, self.weight, reduction=self.reduction
            )
        shares = targets if self.weight is None else targets * self.weight
        total = -(shares * focused).sum()
        return total / len(targets) if self.reduction == "mean" else total
'''


@dataclass(frozen=True, slots=True)
class LossSource:
    """The criterion of a task."""

    code: str
    """Imports, and its class if torch has none."""
    criterion: str
    """What builds it."""
    targets: str
    """Targets as the data has them, `{}`, in the form that it takes."""
    size: str
    """What its mean divides by, computed from `outputs` and `targets` in that form."""

    def size_of(self, targets: str) -> str:
        """The same in proportion, from targets alone."""
        return (
            "len(targets)".replace("targets", targets)
            if "outputs" in self.size
            else self.size.replace("targets", targets)
        )


def loss_source(task: Task) -> LossSource:
    """The loss of a task.

    Raises:
        FaultError: it is that of a plugin.
    """
    built = task.loss.build()
    is_of_values = isinstance(built, ValueCriterion)
    if isinstance(built, ValueCriterion):
        built = built.criterion
    own = type(built)
    name, code = f"nn.{own.__name__}", "from torch import nn\n"
    if own is FocalCriterion:
        name, code = "FocalLoss", FOCAL
    elif own is not getattr(nn, own.__name__, None):
        message = f"{task.loss.kind} is a loss of a plugin, which a training script lacks"
        hint = "use one of torch's, or leave out --training"
        raise config_fault(message, hint=hint, path=task.path)
    options = _options(built)
    criterion = call(name, **options)
    if any(each.startswith("torch.tensor") for each in map(str, options.values())):
        code, criterion = f"import torch\n{code}", f"{criterion}.to(DEVICE)"
    if is_of_values:
        return LossSource(code, criterion, _as_values(task), "outputs.numel()")
    return LossSource(code, criterion, "{}", _samples(task))


def _options(built: nn.Module) -> dict[str, Any]:
    """The options of a criterion that differ from torch's defaults."""
    known = inspect.signature(type(built)).parameters
    given = {name: getattr(built, name, None) for name in known}
    changed = {
        name: value
        for name, value in given.items()
        if value is not None and (name, value) != ("reduction", "mean")
    }
    return {
        name: Code(f"torch.tensor({literal(value.tolist())})")
        if isinstance(value, Tensor)
        else value
        for name, value in changed.items()
        if isinstance(value, Tensor) or known[name].default != value
    }


def _as_values(task: Task) -> str:
    """Targets as numbers in the shape of the outputs; see `optim.value_criterion.as_values`."""
    width = task.output[0]
    if task.target.kind != "class":
        return "{}"
    if task.target.is_soft:
        return "{}[:, 1:]" if width == 1 else "{}"
    if width == 1:
        return "{}[:, None].float()"
    return f"F.one_hot({{}}, {width}).float()"


def targets_form(task: Task) -> str:
    """Targets as the data has them, `{}`, in the form that the loss takes."""
    return loss_source(task).targets


def _samples(task: Task) -> str:
    """The samples of a batch, or the weights of their classes."""
    is_weighted = task.loss.is_weighted and not task.target.is_soft
    return "criterion.weight[targets].sum()" if is_weighted else "len(targets)"


def answers_of(task: Task, outputs: str = "outputs", targets: str = "targets") -> tuple[str, str]:
    """What is predicted for each sample and what is right, as code; (N,) or (N, L) for labels.

    targets: those of the task, in the form that its loss takes.
    """
    cut = "0" if task.loss.outputs == "logits" else "0.5"
    if task.target.kind == "labels":
        shares = outputs
        if set(task.thresholds) != {DEFAULT_THRESHOLD}:
            cut = f"torch.tensor({literal(list(task.thresholds))}, device=DEVICE)"
            shares = f"{outputs}.sigmoid()" if task.loss.outputs == "logits" else shares
        return f"({shares} > {cut})", f"({targets} > 0.5)"
    if task.output[0] == 1:
        return f"({outputs}[:, 0] > {cut})", f"({targets}[:, 0] > 0.5)"
    is_of_values = isinstance(task.loss.build(), ValueCriterion)
    is_soft = is_of_values or task.target.is_soft
    return f"{outputs}.argmax(dim=1)", f"{targets}.argmax(dim=1)" if is_soft else targets


def right_source(task: Task, outputs: str = "outputs", targets: str = "targets") -> str:
    """Whether each sample is predicted right, (N,), as code."""
    predicted, actual = answers_of(task, outputs, targets)
    is_same = f"{predicted} == {actual}"
    return f"({is_same}).all(dim=1)" if task.target.kind == "labels" else is_same
