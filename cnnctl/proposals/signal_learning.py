"""The settings that learn from signals: from batches to epochs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

from cnnctl.proposals.budget import PASSES, multiply_adds
from cnnctl.proposals.document import Setting, lasting
from cnnctl.proposals.heads import layer_settings
from cnnctl.proposals.lesson import Lesson
from cnnctl.proposals.machine import this_machine
from cnnctl.proposals.settings import balanced_monitor

WIDTHS = (32, 64, 128, 128)
"""Channels of the convolutions; each but the last is followed by pooling."""
KERNEL = 7
"""Kernel size of the first convolution, where a signal is long enough; later ones have 3."""
SHORTEST = 4
"""The length that pooling leaves at least."""
STEPS = 2000
"""Steps that training takes, if that is neither few epochs nor many."""
STEP_SECONDS = 0.005
"""Overhead of a step, besides its multiply-adds."""
MOST_EPOCHS, FEWEST_EPOCHS = 100, 8
MOST_BATCH, LEAST_BATCH = 128, 8


def layers(length: int, *, outputs: int | str) -> list[Any]:
    """Convolutions over a signal of this length, with pooling until it is short."""
    found: list[Any] = []
    for number, width in enumerate(WIDTHS):
        kernel = KERNEL if not number and length >= 2 * KERNEL else 3
        found += [
            {"conv": _conv(width, kernel)},
            "batch_norm",
            "relu",
        ]
        if length < 2 * SHORTEST:
            break
        if number < len(WIDTHS) - 1:
            found.append({"max_pool": 2})
            length //= 2
    return [*found, "global_avg_pool", "flatten", {"dropout": 0.2}, {"linear": outputs}]


def _conv(width: int, kernel: int) -> dict[str, Any]:
    """A convolution that keeps the length; the batch norm after it has the bias."""
    sides = {"kernel_size": kernel, "padding": kernel // 2}
    return {"out_channels": width, **sides, "bias": False}


def batch_size(samples: int) -> int:
    """A power of two: a sixteenth of the samples, within bounds."""
    return max(LEAST_BATCH, min(MOST_BATCH, 1 << (max(1, samples // 16).bit_length() - 1)))


def _sample_seconds(chosen: list[Any], shape: Sequence[int], outputs: int) -> float:
    """Seconds that the multiply-adds of a training step take on this machine, per signal."""
    cost = multiply_adds({"layers": chosen}, shape, outputs)
    return PASSES * cost / this_machine().speed


def learning_settings(lesson: Lesson, shape: Sequence[int]) -> Iterator[Setting]:
    """From the size of batches to the number of epochs, for signals of this shape, (C, L)."""
    length = shape[1]
    chosen = layers(length, outputs=lesson.width)
    samples, size = lesson.samples, batch_size(lesson.samples)
    drops_last = samples % size == 1 and samples > 1
    steps = samples // size if drops_last else ceil(samples / size)
    yield Setting("data.batch_size", size, f"{steps:,} steps per epoch")
    if drops_last:
        yield Setting("data.drop_last", True, "a last batch of one signal would disturb batch norm")
    reason = f"convolutions over {length:,} time steps"
    yield from layer_settings(lesson, chosen, reason, of="signals")
    yield Setting("optimizer.name", "adamw", "needs little tuning")
    yield Setting("optimizer.lr", 0.002, "peak rate")
    yield Setting("optimizer.weight_decay", 0.01, "PyTorch's default, against overfitting")
    yield Setting("scheduler", "one_cycle", "converges in few epochs")
    epochs = max(FEWEST_EPOCHS, min(MOST_EPOCHS, STEPS // steps))
    seconds = steps * STEP_SECONDS + samples * _sample_seconds(chosen, shape, lesson.outputs)
    reason = f"{epochs * steps:,} steps, {lasting(epochs * seconds)}"
    yield Setting("train.epochs", epochs, reason)
    yield from balanced_monitor(lesson.imbalance)
