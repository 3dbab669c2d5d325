"""What advice is given on: an experiment and its network, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from cnnctl.data.samples import DatasetInfo
from cnnctl.experiment import Experiment, Task, tasks_of
from cnnctl.model.network import NetworkPlan, PlannedLayer


@dataclass(frozen=True)
class Facts:
    """An experiment and its network; nothing is read or built."""

    experiment: Experiment
    plan: NetworkPlan

    @cached_property
    def description(self) -> DatasetInfo:
        """The description of the data."""
        return self.experiment.data.describe()

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """What the network learns."""
        return tasks_of(self.experiment, self.plan, self.description)

    @cached_property
    def ends(self) -> list[tuple[Task, PlannedLayer]]:
        """Every task, with the last of its layers that computes something."""
        return [(task, _last(task)) for task in self.tasks]


def _last(task: Task) -> PlannedLayer:
    leaves = [leaf for planned in task.layers for leaf in planned.leaves()]
    layers = [planned for planned in leaves if not planned.layer.is_view]
    return (layers or leaves)[-1]
