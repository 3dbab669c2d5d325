"""What advice is given on: an experiment and its network, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from torch import nn

from cnnctl.data.samples import DatasetInfo
from cnnctl.experiment import Experiment, Task, tasks_of
from cnnctl.model.block import PlannedLayer
from cnnctl.model.freezing import freezing_of
from cnnctl.model.layer import WeightedLayer
from cnnctl.model.network import NetworkPlan, Start, meta_network, starts


@dataclass(frozen=True)
class Facts:
    """An experiment and its network; nothing is read or allocated."""

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

    @cached_property
    def network(self) -> nn.Sequential:
        """The network on the meta device."""
        return meta_network(self.plan)

    @cached_property
    def frozen(self) -> frozenset[str]:
        """The names of the parameters that never learn."""
        model = self.experiment.model
        if model.unfreeze_at is not None:
            return frozenset()
        return freezing_of(self.network, model.freeze, unfreeze_at=None).names

    @cached_property
    def learned(self) -> dict[str, int]:
        """The number of values in each parameter that is trained, by its name."""
        named = self.network.named_parameters()
        return {name: weight.numel() for name, weight in named if name not in self.frozen}

    @cached_property
    def starts(self) -> dict[str, Start]:
        """How the weight of each layer starts, by the layer's name; none if it is read."""
        if self.experiment.model.weights is not None:
            return {}
        found = starts(self.network, self.plan)
        return {start.planned.name: start for start in found if not start.name.endswith("bias")}

    def learns(self, planned: PlannedLayer) -> bool:
        """Whether a layer has a parameter that is trained."""
        return any(name.startswith(f"{planned.name}.") for name in self.learned)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps per epoch."""
        size, samples = self.experiment.data.batch_size, self.description.train_samples
        batches = 1 if size == "all" else -(-samples // size)
        return max(1, -(-batches // self.experiment.train.accumulate))

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.steps_per_epoch * self.experiment.train.epochs

    def weighted(self) -> Iterator[tuple[PlannedLayer, WeightedLayer]]:
        """The layers with weights of their own."""
        for planned in self.plan.leaves():
            if isinstance(planned.layer, WeightedLayer):
                yield planned, planned.layer


def _last(task: Task) -> PlannedLayer:
    leaves = [leaf for planned in task.layers for leaf in planned.leaves()]
    layers = [planned for planned in leaves if not planned.layer.is_view]
    return (layers or leaves)[-1]
