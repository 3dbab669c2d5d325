"""The settings that learn from vectors, such as the rows of a table: from batches to epochs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from cnnctl.proposals.document import Setting
from cnnctl.proposals.lesson import Lesson
from cnnctl.proposals.settings import balanced_monitor, loss_of, validation_share

FEW = 1000
"""Rows below which they determine no more than one layer of weights."""
WIDTHS = {10_000: 64, 100_000: 128}
"""Rows up to which hidden layers have so many units."""
WIDEST = 256
STEPS = 3000
"""Steps that training takes, if that is neither few epochs nor many."""
STEP_SECONDS, EPOCH_SECONDS = 0.001, 0.01
"""What a step of such a network takes on two cores, and what an epoch takes beside its steps."""
MOST_EPOCHS, FEWEST_EPOCHS = 200, 8
MOST_BATCH, LEAST_BATCH = 256, 16


def validation_of(rows: int) -> Setting:
    """The share to hold out of so many rows."""
    if rows < FEW:
        return Setting("data.validation", 0, "a linear model has no epoch to select")
    return Setting("data.validation", validation_share(rows), "share, to select the best epoch")


def batch_size(rows: int) -> int:
    """A power of two: a twentieth of the rows, within bounds."""
    return max(LEAST_BATCH, min(MOST_BATCH, 1 << (max(1, rows // 20).bit_length() - 1)))


def layers(rows: int, *, outputs: Any, is_few: bool) -> tuple[list[Any], str]:
    """The layers for so many training rows, and why."""
    if is_few:
        return [{"linear": outputs}], f"{rows:,} rows determine no more than a linear model"
    width = next((width for most, width in WIDTHS.items() if rows <= most), WIDEST)
    hidden = [{"linear": width}, "relu", {"dropout": 0.1}]
    return [*hidden, *hidden, {"linear": outputs}], f"wide enough for {rows:,} rows"


def learning_settings(
    lesson: Lesson, *, is_few: bool, heads: Mapping[str, Lesson] | None = None
) -> Iterator[Setting]:
    """From the size of batches to the number of epochs; a linear model for few rows.

    heads: what each learns, by its name, where there are several targets.
    """
    rows, size = lesson.samples, batch_size(lesson.samples)
    steps = ceil(rows / size)
    yield Setting("data.batch_size", size, f"{steps:,} steps an epoch")
    chosen, reason = layers(rows, outputs=lesson.width, is_few=is_few)
    if heads:
        yield Setting("model.layers", chosen[:-1] or ["flatten"], reason)
        yield Setting("model.heads", {name: _head(each) for name, each in heads.items()})
    else:
        yield Setting("model.layers", chosen, reason)
        yield loss_of(lesson.task, lesson.imbalance, of="rows")
    yield from _optimization(rows, is_few=is_few)
    epochs = max(FEWEST_EPOCHS, min(MOST_EPOCHS, STEPS // steps))
    yield Setting("train.epochs", epochs, f"{epochs * steps:,} steps, {_duration(epochs, steps)}")
    if not is_few and not heads:
        yield from balanced_monitor(lesson.imbalance)


def _head(lesson: Lesson) -> dict[str, Any]:
    loss = loss_of(lesson.task, lesson.imbalance, of="rows").value
    own = {} if loss == "cross_entropy" else {"loss": loss}  # which is the default
    return {"layers": [{"linear": "classes"}], **own}


def _duration(epochs: int, steps: int) -> str:
    seconds = epochs * (EPOCH_SECONDS + steps * STEP_SECONDS)
    return f"about {max(1, round(seconds))} s" if seconds < 90 else f"about {seconds / 60:.0f} min"


def _optimization(rows: int, *, is_few: bool) -> Iterator[Setting]:
    if is_few:
        yield Setting("optimizer.name", "sgd", "exact for a linear model")
        yield Setting("optimizer.lr", 0.05, "the peak")
        yield Setting("optimizer.momentum", 0.9, "one_cycle varies it from 0.95 to 0.85 and back")
        yield Setting("scheduler", "one_cycle", "trains in few epochs")
        # a penalty of 1/2 w^2 beside C times the sum of the losses
        penalty = float(f"{1 / rows:.2g}")
        yield Setting("regularization.l2", penalty, "1 / rows, as scikit-learn's C = 1")
        return
    yield Setting("optimizer.name", "adamw", "needs little tuning")
    yield Setting("optimizer.lr", 0.002, "the peak")
    yield Setting("optimizer.weight_decay", 0.01, "PyTorch's default, against overfitting")
    yield Setting("scheduler", "one_cycle", "trains in few epochs")
