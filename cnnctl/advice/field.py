"""Advice on convolutions that do not see the whole input."""

from __future__ import annotations

from cnnctl.advice.check import Advice, Check
from cnnctl.advice.facts import Facts
from cnnctl.errors import Fault
from cnnctl.inspection import advice_on_field, gather, last_convolution

LITTLE = 0.5
"""Share of a side. MNIST, convolutions before a global average, two epochs: 69.8 % with a field of
5 of 28 pixels, 78.4 with 7, 95.9 with 15; with a dense layer instead, 97.8 with 7. SqueezeNet's
last convolution sees 155 of 224."""


class SmallField(Check):
    """The note of `cnnctl summary` on the receptive field, where nothing behind makes up for it.

    Where a dense layer takes the places one by one, as in LeNet, it sees the whole input.
    """

    def find(self, facts: Facts) -> Advice:
        leaves = {leaf.name: leaf for leaf in facts.plan.leaves()}
        if not any(leaf.layer.role == "convolution" for leaf in leaves.values()):
            return
        summary = gather(facts.plan, batch_size=1)
        last = last_convolution(summary)
        note = advice_on_field(summary)
        if last is None or last.field is None or note is None:
            return
        graph = facts.plan.graph
        behind = graph.next_weighted(graph.ends[last.name])
        is_dense = any(
            len(after.input) == 1 and after.input[0] > last.output[0] for after in behind
        )
        shares = [
            seen / side for seen, side in zip(last.field.size, facts.plan.input[1:], strict=True)
        ]
        if not is_dense and min(shares) < LITTLE:
            message, _, hint = note.partition("; ")
            message += ": on MNIST, 5 of 28 reached 70% instead of 96%"
            yield Fault(message=message, hint=hint, path=leaves[last.name].path)
