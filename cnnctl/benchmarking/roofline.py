"""The least time of a step: what its layers compute and move, at the limits of the machine.

The roofline model (Williams, Waterman and Patterson, 2009): an operation takes as long as its
multiply-adds at the peak, or its bytes at the bandwidth, whichever is more. Each layer is counted
by itself, forward and backward, with its inputs and outputs in memory; fused layers move less.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from cnnctl.benchmarking.facts import Limits, Work
from cnnctl.inspection.facts import Row, Summary

SINGLE, HALF = 4, 2
"""Bytes of a number of activations."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass of a layer computes and moves, for a batch."""

    kind: str
    multiply_adds: int
    bytes: int

    def seconds(self, limits: Limits) -> float:
        """Its least time."""
        return max(self.multiply_adds / limits.multiply_adds, self.bytes / limits.bandwidth)


def work_of(passes: list[Pass], limits: Limits) -> Work:
    """The sum of passes, which follow one another."""
    return Work(
        multiply_adds=sum(each.multiply_adds for each in passes),
        bytes=sum(each.bytes for each in passes),
        limit=sum(each.seconds(limits) for each in passes),
    )


def passes_of(summary: Summary, *, precision: str, optimizer_numbers: int) -> Iterator[Pass]:
    """The passes of all layers of a network for a step, and the update of its weights.

    summary: at the number of samples of the step.
    optimizer_numbers: those that the optimizer keeps for each weight.
    """
    width = HALF if precision == "bf16" else SINGLE
    needs_gradient = False  # the input of the network does not
    for row in summary.layers:
        yield _forward(row, summary.batch_size, width)
        if needs_gradient or row.trainable:
            yield _backward(row, summary.batch_size, width, to_input=needs_gradient)
        needs_gradient |= row.trainable > 0
    # weight, gradient and state are read; weight and state are written
    yield Pass("optimizer", 0, summary.trainable_bytes * (3 + 2 * optimizer_numbers))


def _forward(row: Row, batch_size: int, width: int) -> Pass:
    moved = _moved(row, batch_size, width)
    return Pass(row.kind, batch_size * (row.multiply_adds or 0), sum(moved) + row.weight_bytes)


def _backward(row: Row, batch_size: int, width: int, *, to_input: bool) -> Pass:
    """The gradients of the weights and of the input take as many multiply-adds as the outputs."""
    inputs, outputs = _moved(row, batch_size, width)
    products = (row.trainable > 0) + to_input
    size = outputs + inputs * (1 + to_input) + row.weight_bytes * to_input + row.trainable_bytes
    return Pass(row.kind, products * batch_size * (row.multiply_adds or 0), size)


def _moved(row: Row, batch_size: int, width: int) -> tuple[int, int]:
    """Bytes of inputs and outputs; none of a view."""
    if not row.activation_bytes:
        return 0, 0
    inputs, outputs = (batch_size * prod(shape) * width for shape in (row.input, row.output))
    return inputs, outputs
