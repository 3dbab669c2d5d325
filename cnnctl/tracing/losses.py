"""The losses of the tasks of one sample."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from cnnctl.experiment import Task
from cnnctl.tracing.facts import LossFacts


def loss_facts(
    tasks: Sequence[Task], outputs: Tensor, targets: Tensor, values: Sequence[float]
) -> list[LossFacts]:
    """The loss of each task; outputs are (1, columns), targets those of a batch of one."""
    found = list[LossFacts]()
    for task, value in zip(tasks, values, strict=True):
        own, wanted = task.of(outputs, targets)
        is_class = not wanted.is_floating_point()
        found.append(
            LossFacts(
                task=task.name,
                kind=task.loss.kind,
                weight=task.weight,
                value=value,
                target=wanted[0],
                target_name=task.target.class_names[int(wanted[0])] if is_class else "",
                working=task.loss.work(own, wanted),
            )
        )
    return found
