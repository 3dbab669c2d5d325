"""A fitted network as plain data: the bytes of a checkpoint, from which it is rebuilt."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from cnnctl.checkpoint import Checkpoint, decode, encode
from cnnctl.device import memory_faults, settings_restored, use_precision
from cnnctl.plugins import load_plugins
from cnnctl.prediction.answers import numbers_of
from cnnctl.sources import read_experiment
from cnnctl.trained import TrainedNetwork, ready


@dataclass(frozen=True)
class FittedNetwork:
    """The checkpoint of a fitted network; pickled as bytes and plain values."""

    content: bytes = field(repr=False)
    """The content of its .safetensors file."""
    device: str

    @classmethod
    def of(cls, checkpoint: Checkpoint, *, device: str) -> FittedNetwork:
        """The network of a checkpoint."""
        return cls(b"".join(encode(checkpoint)), device)

    @cached_property
    def trained(self) -> TrainedNetwork:
        """The network on its device.

        Raises:
            FaultError: the device is unavailable, or a plugin is missing.
        """
        checkpoint = decode(self.content, place="estimator")
        load_plugins(map(Path, checkpoint.document["experiment"]["plugins"]))
        loaded = read_experiment(checkpoint, place="estimator")
        with settings_restored():
            return ready(loaded, checkpoint, device=self.device)

    def numbers(self, stored: Tensor) -> Tensor:
        """Probabilities of classes or labels, or values in their own units, (N, outputs).

        Raises:
            FaultError: as `trained`; or out of memory.
        """
        trained = self.trained
        with settings_restored(), memory_faults(trained.device):
            use_precision(trained.experiment.train.precision, trained.device)
            return numbers_of(trained, stored)[0]

    def __getstate__(self) -> dict[str, Any]:
        """Without the network, which is rebuilt."""
        return {"content": self.content, "device": self.device}
