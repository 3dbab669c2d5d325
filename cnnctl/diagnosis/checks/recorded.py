"""What a run with `train.watch` recorded of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf
from typing import ClassVar

from cnnctl.diagnosis.checks.check import Check, When, fine, unknown, warning
from cnnctl.diagnosis.checks.gradients import SPIKE, WINDOW, highest_spike
from cnnctl.diagnosis.facts import Facts
from cnnctl.run_files import LayerRecord
from cnnctl.verification.finding import Finding

LEARNING = 0.5
"""Share of the loss of a constant answer below which the gradients of single batches differ by more
than that anyway."""


class RecordedSteps(Check):
    """Gradients that jump, or are not finite, are seen in the steps of the run alone."""

    name = "recorded steps"
    threshold = (
        f"a layer's gradient is not finite, or > {SPIKE:g} times the median of its last {WINDOW} "
        f"records, while the loss is above {LEARNING:.0%} of a constant answer's"
    )
    source = "AUTOTRAINER (Zhang et al. 2021); the spike is ours, tried on 26 MNIST trainings"
    when: ClassVar[When] = "after training"

    def find(self, facts: Facts) -> Finding:
        if not facts.records:
            return unknown(facts.why_not("records"))
        count = f"{len(facts.records):,} steps recorded"
        for record in facts.records:
            bad = [layer for layer, row in record.layers.items() if isinf(row.get("gradient", 0.0))]
            if bad:
                hint = "try a lower optimizer.lr or regularization.clip_norm=1"
                figure = f"the gradient of {bad[0]} is not finite at step {record.step:,}"
                return warning(figure, hint, {"step": record.step}, named=tuple(bad))
        early = _while_learning(facts)
        spikes = {layer: highest_spike(norms) for layer, norms in _gradients(early).items()}
        worst = max(spikes, key=lambda layer: spikes[layer], default="")
        if not worst or spikes[worst] <= SPIKE:
            return fine(count, {"spikes": spikes})
        hint = "set regularization.clip_norm=1, or try a lower optimizer.lr or a warm-up"
        figure = f"the gradient of {worst} jumps to {spikes[worst]:.0f} times its median"
        return warning(figure, hint, {"spikes": spikes})


def _while_learning(facts: Facts) -> list[LayerRecord]:
    """The records of epochs that began with much to learn."""
    losses = facts.history.losses("train") if facts.history else []
    epochs = facts.history.epochs if facts.history else []
    levels = dict(zip(epochs, map(facts.yardstick.level, losses), strict=False))
    return [record for record in facts.records if levels.get(record.epoch, 1.0) > LEARNING]


def _gradients(records: Sequence[LayerRecord]) -> dict[str, list[float]]:
    """The gradients of each layer, by step."""
    found: dict[str, list[float]] = {}
    for record in records:
        for layer, row in record.layers.items():
            if "gradient" in row:
                found.setdefault(layer, []).append(row["gradient"])
    return found
