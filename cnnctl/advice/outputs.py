"""Advice on what a network outputs, and what its loss expects."""

from __future__ import annotations

from cnnctl.advice.check import Advice, Check
from cnnctl.advice.facts import Facts
from cnnctl.advice.layers import shares_out
from cnnctl.errors import Fault
from cnnctl.model.initializers import RECTIFIERS

SQUASHED = ("probabilities", "log_probabilities", "log_sigmoids")
"""The activation that a loss on logits applies itself."""

MANY_CLASSES = 10
"""Classes from which on binary cross-entropy was measured to learn more slowly."""


class ActivationDoneByTheLoss(Check):
    """Softmax before cross-entropy."""

    def find(self, facts: Facts) -> Advice:
        for task, last in facts.ends:
            if task.loss.outputs == "logits" and last.layer.gives in SQUASHED:
                own = "sigmoid" if task.loss.kind == "bce_with_logits" else "softmax"
                message = f"{task.loss.kind} expects logits: it applies {own} itself"
                yield Fault(message=message, hint=f"leave {last.layer.kind} out", path=last.path)


class NoLogSoftmaxBeforeNLL(Check):
    """Outputs that are no log-probabilities, before nll."""

    def find(self, facts: Facts) -> Advice:
        for task, last in facts.ends:
            if task.loss.outputs != "log_probabilities" or last.layer.gives == task.loss.outputs:
                continue
            message = (
                f"{task.loss.kind} expects log-probabilities, which {last.name} does not output"
            )
            in_place = last.layer.gives in SQUASHED
            hint = "write log_softmax instead" if in_place else "add log_softmax"
            yield Fault(message=message, hint=f"{hint}, or use cross_entropy", path=last.path)


class NoSigmoidBeforeBCE(Check):
    """Outputs that are no probabilities, before bce."""

    def find(self, facts: Facts) -> Advice:
        for task, last in facts.ends:
            if task.loss.outputs != "probabilities" or last.layer.gives == "probabilities":
                continue
            message = f"{task.loss.kind} expects probabilities, which {last.name} does not output"
            yield Fault(message=message, hint="add sigmoid, or use bce_with_logits", path=last.path)


class LabelsThatExcludeEachOther(Check):
    """Softmax where a sample can have several labels."""

    def find(self, facts: Facts) -> Advice:
        for task, last in facts.ends:
            takes_shares = task.loss.outputs == "probabilities"
            if task.target.kind == "labels" and takes_shares and shares_out(last.layer):
                message = f"{last.layer.kind} makes the probabilities of all labels add up to 1"
                yield Fault(message=message, hint="use sigmoid instead", path=last.path)


class ManyQuestions(Check):
    """Binary cross-entropy of many classes, of which one is right, under SGD.

    Its mean over the outputs makes gradients smaller as classes get more. MNIST, MLP 100, an epoch:
    SGD at 0.1 reaches 91.2 % instead of 95.9, Adam, which undoes that, 95.0 instead of 95.7.
    """

    def find(self, facts: Facts) -> Advice:
        for task in facts.tasks:
            classes = task.target.outputs
            is_one_of_many = task.target.kind == "class" and classes >= MANY_CLASSES
            asks_each = "labels" in task.loss.takes and task.loss.reduction == "mean"
            if is_one_of_many and asks_each and facts.experiment.optimizer.follows_gradients:
                message = (
                    f"{task.loss.kind} is the mean of {classes} questions, one for each class, "
                )
                message += f"which makes gradients up to {classes} times smaller: on MNIST, SGD "
                message += "reached 91% instead of 96%"
                hint = "use cross_entropy, without the activation at the output"
                yield Fault(message=message, hint=hint, path=task.path)


class RectifiedOutput(Check):
    """A rectifier as the last layer."""

    def find(self, facts: Facts) -> Advice:
        for _, last in facts.ends:
            is_rectified = last.layer.acts_as in (*RECTIFIERS, "selu")
            if is_rectified and last.layer.gives == "values":
                kind = last.layer.kind
                message = f"{kind} at the output blocks negative values and their gradients"
                yield Fault(message=message, hint="leave it out", path=last.path)


class BoundedOutput(Check):
    """A bounded activation as the last layer, where values or logits are not."""

    def find(self, facts: Facts) -> Advice:
        # values that are not normalised may well be within these bounds
        is_spread = getattr(facts.experiment.data, "normalize_targets", None) is not None
        for task, last in facts.ends:
            is_value = task.target.kind == "values"
            is_free = is_spread if is_value else task.loss.outputs == "logits"
            is_bound = last.layer.gives == "bounded"
            if is_free and (is_bound or (last.layer.gives == "probabilities" and is_value)):
                kind = last.layer.kind
                message = f"{kind} at the output cannot predict values beyond its bounds"
                yield Fault(message=message, hint="leave it out", path=last.path)


class DropoutAtOutput(Check):
    """Dropout as the last layer."""

    def find(self, facts: Facts) -> Advice:
        for _, last in facts.ends:
            if last.layer.is_dropout:
                message = "dropout at the output drops predictions, not features"
                hint = "put it before the last linear layer"
                yield Fault(message=message, hint=hint, path=last.path)
