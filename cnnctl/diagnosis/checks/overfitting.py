"""A training loss that falls while that of validation does not."""

from __future__ import annotations

from typing import ClassVar

from cnnctl.diagnosis.checks.check import Check, When, fine, unknown, warning
from cnnctl.diagnosis.facts import Facts
from cnnctl.diagnosis.history import History
from cnnctl.metrics.wording import show_loss
from cnnctl.verification.finding import Finding
from cnnctl.verification.naming import shown_time

RISE, EVALUATIONS = 1.10, 3
MATTERS = 0.05
"""Share of the loss of a constant answer below which a rise is small in any case."""
ALL = 0.999
"""Training accuracy from which on everything is learned."""
GAP = 0.05
"""Accuracy between training and validation below which there is little to win."""
WASTED, FEWEST = 1 / 3, 5
"""Share and number of epochs that came after the last improvement."""


class Overfitting(Check):
    """Validation loss that rises while the training loss falls is that of learning by heart."""

    name = "overfitting"
    threshold = (
        f"validation loss > {RISE:g} times its minimum in the last {EVALUATIONS} epochs, training "
        f"loss falling, and a rise of {MATTERS:.0%} of a constant answer's loss"
    )
    source = "Prechelt 1998, Early Stopping - But When?; that it matters is ours"
    when: ClassVar[When] = "after training"

    def find(self, facts: Facts) -> Finding:
        history = facts.history
        if history is None:
            return unknown(facts.why_not("history"))
        train, held_out = history.losses("train"), history.losses("val")
        if not held_out:
            return unknown("no validation split")
        lowest = min(held_out)
        at = held_out.index(lowest)
        epoch = history.epochs[at]
        figure = f"validation loss {show_loss(held_out[-1])}, "
        figure += f"lowest {show_loss(lowest)} in epoch {epoch}"
        last = held_out[-EVALUATIONS:]
        is_high = min(last) > RISE * lowest and len(held_out) - at > EVALUATIONS
        level = facts.yardstick.level
        matters = level(min(last)) - level(lowest) > MATTERS
        numbers = {"lowest": lowest, "last": held_out[-1], "epoch": epoch}
        if not (is_high and matters and train[-1] < train[at]):
            return fine(figure, numbers)
        hint = f"use more data, augmentation, dropout or weight decay{_early(history, epoch)}"
        return warning(f"the network learns by heart: {figure}", hint, numbers)


class StandsStill(Check):
    """Epochs after everything is learned by heart bring nothing."""

    name = "standing still"
    threshold = (
        f"training accuracy >= {ALL:.1%}, validation {GAP:.0%} below it and no better for "
        f"{WASTED:.0%} of the epochs, at least {FEWEST}"
    )
    source = "ours, tried on trainings that go well"
    when: ClassVar[When] = "after training"

    def find(self, facts: Facts) -> Finding:
        history = facts.history
        if history is None:
            return unknown(facts.why_not("history"))
        train, held_out = history.accuracies("train"), history.accuracies("val")
        if not train or not held_out:
            return unknown("no accuracy of both splits")
        best = max(held_out)
        epoch = history.epochs[held_out.index(best)]
        wasted = len(held_out) - 1 - held_out.index(best)
        figure = f"training {train[-1]:.1%}, validation {best:.1%} at best, in epoch {epoch}"
        is_late = wasted >= max(FEWEST, WASTED * len(held_out))
        numbers = {"epoch": epoch, "epochs_after": wasted, "gap": train[-1] - best}
        if train[-1] < ALL or train[-1] - best < GAP or not is_late:
            return fine(figure, numbers)
        figure = f"all is learned by heart; validation no better since epoch {epoch}: {figure}"
        hint = f"use more data or augmentation, which alone close the gap{_early(history, epoch)}"
        return warning(figure, hint, numbers)


def _early(history: History, epoch: int) -> str:
    """What early stopping would have saved."""
    after = sum(each > epoch for each in history.epochs)
    if not after:
        return ""
    saved = f"{after:,} epochs ({shown_time(history.seconds(epoch))})"
    return f"; regularization.early_stopping would have saved up to {saved}"
