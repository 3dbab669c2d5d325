"""A trained network, ready for inference; everything that uses a checkpoint starts here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from cnnctl.checkpoint import Checkpoint, check_weights, load_weights
from cnnctl.data.preprocessing import Preprocessing
from cnnctl.device import memory_faults, pick_device, use_precision
from cnnctl.experiment import Experiment, Loaded, Task
from cnnctl.model.network import NetworkPlan, empty_network, meta_network
from cnnctl.sources import open_checkpoint


@dataclass(frozen=True)
class TrainedNetwork:
    """A network with the weights of a checkpoint, its experiment and its tasks."""

    experiment: Experiment
    plan: NetworkPlan
    tasks: tuple[Task, ...]
    """Its tasks, each with its target, loss and class names."""
    network: nn.Module
    """On the device and in evaluation mode; takes inputs from `preprocessing`."""
    device: torch.device
    epoch: int | None
    """Number of completed epochs; None if unknown."""

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing of its inputs and targets.

        Raises:
            FaultError: the checkpoint was saved before the statistics were measured.
        """
        return Preprocessing.of(self.experiment.data)

    def in_own_units(self, task: Task, values: Tensor) -> Tensor:
        """Predictions or targets (N, T) of this task, in the original units of the dataset."""
        return self.preprocessing.undo(values, name=task.target.name)


def open_trained(
    source: Path, *, device: str = "auto", plugins: Sequence[Path] = ()
) -> TrainedNetwork:
    """The trained network of a checkpoint, or of the best one in a run folder.

    Raises:
        FaultError: it does not exist, is damaged or unsupported (exit code 4); its weights do not
            fit its network; the device is unavailable, or out of memory.
    """
    return ready(*open_checkpoint(source, plugins), device=device)


def ready(loaded: Loaded, checkpoint: Checkpoint, *, device: str) -> TrainedNetwork:
    """The trained network of a checkpoint and its experiment.

    Raises:
        FaultError: its weights do not fit its network; the device is unavailable, or out of memory.
    """
    where = pick_device(device)
    use_precision(loaded.experiment.train.precision, where)
    check_weights(meta_network(loaded.plan), checkpoint.weights)  # before memory is taken
    with memory_faults(where):
        network = empty_network(loaded.plan)
        load_weights(network, checkpoint.weights)
        network = network.to(where).eval()
    answers = tuple(task for task in loaded.tasks if not task.is_auxiliary)
    return TrainedNetwork(loaded.experiment, loaded.plan, answers, network, where, checkpoint.epoch)
