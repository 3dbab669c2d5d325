"""The loss before the first step."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose, log

from cnnctl.errors import ExitCode
from cnnctl.metrics.wording import show_loss
from cnnctl.verification.facts import Facts, TaskLoss
from cnnctl.verification.finding import Check, Finding, Verdict

HIGHEST, HIGHEST_OF_VALUES = 2.0, 10.0
"""Times the loss of a constant answer, for ten classes and more, and for values: outputs that
start three times as spread out as the values have ten times the squared error of their mean, as
have zeros where the mean of the values is three times their spread."""


class FirstLoss(Check):
    """An untrained network should have about the loss of a constant prediction.

    That is ln(classes) for cross-entropy, whatever its class weights or label smoothing, ln(2) for
    binary cross-entropy, and the loss of the mean for values. A larger loss is that of a network
    that starts with confident errors.
    """

    name = "first loss"
    source = (
        "Karpathy, A Recipe for Training Neural Networks (2019), verify loss at init; of 26 "
        "trainings on MNIST, the 7 healthy ones stay below 1.44; the bounds of values and of "
        "fewer classes are ours"
    )
    path = ("model",)
    exit_code = ExitCode.USAGE

    def find(self, facts: Facts) -> Finding:
        if facts.steps is None or not facts.steps.losses:
            return Finding(figure="not measured", verdict=Verdict.UNKNOWN)
        return self.judge(facts.steps.losses)

    def judge(self, losses: Sequence[TaskLoss]) -> Finding:
        """Judge the losses of all tasks."""
        figure = "; ".join(map(_figure, losses))
        numbers = {each.task or "loss": _numbers(each) for each in losses}
        if not any(map(_is_high, losses)):
            return Finding(figure=figure, numbers=numbers)
        are_values = any(each.kind == "values" for each in losses if _is_high(each))
        hint = (
            "set data.normalize_targets=auto, or start with smaller weights (model.init)"
            if are_values
            else "normalize the inputs, or start the last layers with smaller weights (model.init)"
        )
        return Finding(
            figure=f"the first loss is high: {figure}",
            verdict=Verdict.ERROR,
            hint=hint,
            numbers=numbers,
        )


def _ratio(found: TaskLoss) -> float:
    return found.loss / found.constant if found.constant else 1.0


def _is_high(found: TaskLoss) -> bool:
    if found.kind == "values":
        return _ratio(found) > HIGHEST_OF_VALUES
    # of fewer classes, as many nats too much as of ten, or chance would raise it
    return found.loss > found.constant + (HIGHEST - 1) * max(found.constant, log(10))


def _figure(found: TaskLoss) -> str:
    task = f"{found.task} " if found.task else ""
    if not found.constant:  # as of a single sample
        return f"{task}{show_loss(found.loss)}"
    return f"{task}{show_loss(found.loss)}, {_ratio(found):.2f} times {_formula(found)}"


def _formula(found: TaskLoss) -> str:
    """What the loss is compared with, as a formula where there is one."""
    for number in (found.outputs, 2):
        if number > 1 and isclose(found.constant, log(number), rel_tol=1e-4):
            return f"ln({number:,})"
    answer = "the mean" if found.kind == "values" else "a constant prediction"
    return f"that of {answer} ({show_loss(found.constant)})"


def _numbers(found: TaskLoss) -> dict[str, float]:
    return {"loss": found.loss, "constant": found.constant, "ratio": _ratio(found)}
