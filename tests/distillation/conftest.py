"""Small teachers, trained or made up, and students of theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from cnnctl.checkpoint import save
from cnnctl.config.nodes import Place, from_plain
from cnnctl.experiment import Loaded, complete
from cnnctl.training.setup import Setup, set_up
from cnnctl.training.state import capture_best
from cnnctl.training.training import Training
from tests.training.conftest import CPU

POINTS = torch.randn(24, 3, generator=torch.Generator().manual_seed(0))
NUMBERS = [number % 3 for number in range(24)]
NAMES = ["cat", "dog", "eel"]


def data_of(**more: Any) -> dict[str, Any]:
    """24 points of three classes, in batches of 8."""
    plain: dict[str, Any] = {"name": "inline", "inputs": POINTS.tolist(), "targets": NUMBERS}
    return plain | {"classes": NAMES, "batch_size": 8, "normalize": "auto"} | more


def experiment(**more: Any) -> dict[str, Any]:
    """A small network for these points."""
    layers = [{"linear": 5}, "tanh", {"linear": "classes"}]
    plain: dict[str, Any] = {"data": data_of(), "model": {"layers": layers}, "seed": 3}
    optimizer = {"name": "sgd", "lr": 0.1, "momentum": 0.9}
    plain |= {"optimizer": optimizer, **more}
    return plain | {"train": {**CPU, "epochs": 2, "threads": 1, **plain.get("train", {})}}


def loaded(plain: dict[str, Any]) -> Loaded:
    """A checked experiment."""
    return complete(from_plain(plain, Place("test")), "test")


def setup(plain: dict[str, Any]) -> Setup:
    """The setup of an experiment."""
    return set_up(loaded(plain), data_root=Path())


def trained(plain: dict[str, Any]) -> Training:
    """The training of an experiment, which has ended."""
    training = Training.of(setup(plain))
    training.begin()
    training.fit()
    return training


def teacher(path: Path, plain: dict[str, Any] | None = None) -> str:
    """The checkpoint of a network that was trained."""
    save(capture_best(trained(plain or experiment()).run), path)
    return str(path)
