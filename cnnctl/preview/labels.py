"""The labels of samples as text: names of classes, values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from cnnctl.data.loader import probabilities
from cnnctl.data.preprocessing import Preprocessing
from cnnctl.drawing.naming import Naming
from cnnctl.experiment import Task

LEAST = 0.005
"""Share of a mixed sample below which a class is left out, which rounds to 0 %."""


@dataclass(frozen=True, slots=True)
class Labeller:
    """Writes targets of batches as text that the font of a sheet can draw."""

    tasks: Sequence[Task]
    preprocessing: Preprocessing
    naming: Naming = field(default_factory=Naming)
    """Of the classes."""

    def label(self, targets: Tensor) -> str:
        """The label of the one sample of a batch, (1, …)."""
        texts = [self._text(task, task.own_targets(targets).cpu()) for task in self.tasks]
        names = [f"{task.name}: " if task.name else "" for task in self.tasks]
        return "; ".join(name + text for name, text in zip(names, texts, strict=True))

    def _text(self, task: Task, targets: Tensor) -> str:
        if task.target.kind == "values":
            values = self.preprocessing.undo(targets, name=task.target.name)
            return ", ".join(f"{value:.4g}" for value in values.flatten().tolist())
        if not targets.is_floating_point():
            targets = probabilities(targets, classes=len(task.target.class_names))
        shares = targets[0].tolist()
        order = sorted(range(len(shares)), key=lambda number: -shares[number])
        present = [number for number in order if shares[number] > LEAST]
        return ", ".join(self._share(task, number, shares[number]) for number in present) or "none"

    def _share(self, task: Task, number: int, share: float) -> str:
        own = task.target.class_names[number]
        name = self.naming.shown(own, number=number, of=task.name)
        return name if share > 1 - LEAST else f"{name} ({share:.0%})"
