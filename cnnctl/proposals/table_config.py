"""From the facts of a table to an experiment, with the reason for each setting."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any

from cnnctl.proposals.document import Setting, counted, document
from cnnctl.proposals.settings import (
    HELD_OUT,
    WRITTEN,
    balanced_monitor,
    loss_of,
    path_setting,
    validation_share,
)
from cnnctl.proposals.table_facts import TableFacts

FEW = 1000
"""Rows below which they determine no more than one layer of weights."""
WIDTHS = {10_000: 64, 100_000: 128}
"""Rows up to which hidden layers have so many units."""
WIDEST = 256
STEPS = 3000
"""Steps that training takes, if that is neither few epochs nor many."""
MOST_EPOCHS, FEWEST_EPOCHS = 200, 8
MOST_BATCH, LEAST_BATCH = 256, 16


def propose(facts: TableFacts, *, folder: Path) -> str:
    """The experiment's file."""
    rows, samples = len(facts.table), facts.data.known_samples
    settings = [
        Setting("data.name", "table"),
        path_setting(facts.source, folder=folder),
        Setting("data.target", facts.target, facts.why_target),
        Setting("data.task", facts.data.task, _why_task(facts)),
        *_ignored(facts),
        _validation(rows),
        Setting("data.test", HELD_OUT, f"{samples.test:,} rows held out, for `cnnctl eval`"),
        *_learning(facts, rows - samples.test, is_few=rows < FEW),
    ]
    title = [
        f"{facts.source.name}: {counted(rows, 'row')}, {counted(len(facts.columns), 'feature')}.",
        WRITTEN,
    ]
    return document(title, settings)


def _why_task(facts: TableFacts) -> str:
    classes = facts.data.classes
    return f"{len(classes):,} classes" if classes else "numbers of many values"


def _validation(rows: int) -> Setting:
    if rows < FEW:
        return Setting("data.validation", 0, "a linear model has no epoch to select")
    return Setting("data.validation", validation_share(rows), "share, to select the best epoch")


def _ignored(facts: TableFacts) -> Iterator[Setting]:
    if facts.ignored:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in facts.ignored.items())
        yield Setting("data.columns", dict.fromkeys(facts.ignored, "ignored"), reasons)


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


def _learning(facts: TableFacts, rows: int, *, is_few: bool) -> Iterator[Setting]:
    size = batch_size(rows)
    steps = ceil(rows / size)
    yield Setting("data.batch_size", size, f"{steps:,} steps an epoch")
    outputs: Any = "classes" if facts.data.classes else 1
    chosen, reason = layers(rows, outputs=outputs, is_few=is_few)
    yield Setting("model.layers", chosen, reason)
    yield loss_of(facts.data.task, facts.imbalance, of="rows")
    yield from _optimization(rows, is_few=is_few)
    epochs = max(FEWEST_EPOCHS, min(MOST_EPOCHS, STEPS // steps))
    yield Setting("train.epochs", epochs, f"{epochs * steps:,} steps")
    if not is_few:
        yield from balanced_monitor(facts.imbalance)


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
