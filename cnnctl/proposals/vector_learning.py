"""The settings that learn from vectors, such as the rows of a table: from batches to epochs."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

from cnnctl.proposals.document import Setting, lasting
from cnnctl.proposals.heads import layer_settings
from cnnctl.proposals.lesson import Lesson
from cnnctl.proposals.settings import balanced_monitor, validation_share

FEW = 1000
"""Rows below which they determine no more than one layer of weights."""
WIDTHS = {10_000: 64, 100_000: 128}
"""Rows up to which hidden layers have so many units."""
WIDEST = 256
STEPS = 3000
"""Steps that training takes, if that is neither few epochs nor many."""
STEP_SECONDS, EPOCH_SECONDS = 0.001, 0.01
"""Seconds of a step of such a network on two cores, and of the overhead of an epoch."""
MOST_EPOCHS, FEWEST_EPOCHS = 200, 8
EXACT_EPOCHS = 20
"""Steps of L-BFGS that find the optimum of a linear model."""
MOST_BATCH, LEAST_BATCH = 256, 16


def validation_of(rows: int) -> Setting:
    """The share to hold out of so many rows."""
    if rows < FEW:
        return Setting("data.validation", 0, "a linear model has no epoch to select")
    return Setting(
        "data.validation", validation_share(rows), "share of the rows, to select the best epoch"
    )


def batch_size(rows: int) -> int:
    """A power of two: a twentieth of the rows, within bounds."""
    return max(LEAST_BATCH, min(MOST_BATCH, 1 << (max(1, rows // 20).bit_length() - 1)))


def layers(rows: int, *, outputs: Any, is_few: bool) -> tuple[list[Any], str]:
    """The layers for so many training rows, and why."""
    if is_few:
        return [{"linear": outputs}], f"{rows:,} rows are too few for more than a linear model"
    width = next((width for most, width in WIDTHS.items() if rows <= most), WIDEST)
    hidden = [{"linear": width}, "relu", {"dropout": 0.1}]
    return [*hidden, *hidden, {"linear": outputs}], f"wide enough for {rows:,} rows"


def learning_settings(lesson: Lesson, *, is_few: bool) -> Iterator[Setting]:
    """From the size of batches to the number of epochs; a linear model for few rows."""
    rows = lesson.samples
    size = "all" if is_few else batch_size(rows)
    steps = 1 if isinstance(size, str) else ceil(rows / size)
    yield Setting("data.batch_size", size, _why_batch(size, steps))
    chosen, reason = layers(rows, outputs=lesson.width, is_few=is_few)
    yield from layer_settings(lesson, chosen, reason, of="rows")
    if is_few:
        yield from _exact_optimization(lesson)
        return
    yield from _optimization()
    epochs = max(FEWEST_EPOCHS, min(MOST_EPOCHS, STEPS // steps))
    duration = lasting(epochs * (EPOCH_SECONDS + steps * STEP_SECONDS))
    yield Setting("train.epochs", epochs, f"{epochs * steps:,} steps, {duration}")
    yield from balanced_monitor(lesson.imbalance)


def _why_batch(size: int | str, steps: int) -> str:
    return "lbfgs uses all rows in each step" if size == "all" else f"{steps:,} steps per epoch"


def _exact_optimization(lesson: Lesson) -> Iterator[Setting]:
    """The optimum of a linear model, with scikit-learn's penalties."""
    yield Setting("optimizer.name", "lbfgs", "finds the optimum of a linear model")
    yield Setting("optimizer.line_search_fn", "strong_wolfe", "limits the length of each step")
    strength, model = _penalty(lesson)
    reason = f"the penalty of scikit-learn's {model}"
    yield Setting("regularization.l2", float(f"{strength / lesson.samples:.2g}"), reason)
    yield Setting(
        "train.epochs", EXACT_EPOCHS, "steps of up to 20 evaluations; converges in about a second"
    )


def _penalty(lesson: Lesson) -> tuple[float, str]:
    """The default penalty of a model of scikit-learn, as l2 times the rows, and the model's name.

    The loss is l2/2 w^2 plus the mean over rows, and over outputs for values and labels. Ridge
    adds w^2 to the sum of squares, LogisticRegression w^2/2 to the sum of losses. For two classes,
    it learns one vector: the difference of the two here, each of which is half of it.
    https://scikit-learn.org/stable/modules/linear_model.html
    """
    if lesson.task == "regression":
        return 2 / lesson.outputs, "Ridge (alpha=1)"
    if lesson.task == "multilabel":
        return 1 / lesson.outputs, "LogisticRegression (C=1) for each label"
    return 2 if lesson.outputs == 2 else 1, "LogisticRegression (C=1)"


def _optimization() -> Iterator[Setting]:
    yield Setting("optimizer.name", "adamw", "needs little tuning")
    yield Setting("optimizer.lr", 0.002, "peak rate")
    yield Setting("optimizer.weight_decay", 0.01, "PyTorch's default, against overfitting")
    yield Setting("scheduler", "one_cycle", "converges in few epochs")
