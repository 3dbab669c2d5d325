"""Training on images that grow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from cnnctl.training.observers import Observer
from cnnctl.training.run import Run
from cnnctl.training.step import Batch
from cnnctl.training.training import Training
from tests.training.conftest import setup_of

GROWING: dict[str, Any] = {
    "data": {"name": "digits", "batch_size": 500, "augment": [{"crop": 1}]},
    "model": {
        "layers": [
            {"conv": {"out_channels": 4, "kernel_size": 3, "padding": 1}},
            "relu",
            "global_avg_pool",
            {"linear": "classes"},
        ]
    },
    "train": {"epochs": 4, "progressive_resizing": {"size_increment": 2}},
}


class Seen(Observer):
    """The shapes of the batches of every epoch."""

    def __init__(self) -> None:
        self.shapes: dict[int, set[tuple[int, ...]]] = {}

    def step_began(self, run: Run, batches: Sequence[Batch]) -> None:
        shapes = {tuple(inputs.shape[1:]) for inputs, _ in batches}
        self.shapes.setdefault(run.counters.epoch, set()).update(shapes)


@pytest.fixture(autouse=True)
def restored(as_before: None) -> None:
    """The process is as before."""


def test_steps_get_the_sizes_of_their_epochs_and_evaluation_full_images() -> None:
    setup, seen = setup_of(GROWING), Seen()
    training = Training.of(setup, observers=[seen])
    training.begin()
    sizes = list[tuple[int, ...]]()
    network = training.run.network

    def note(_: object, inputs: tuple[torch.Tensor]) -> None:
        if not network.training:
            sizes.append(tuple(inputs[0].shape[2:]))

    network.register_forward_pre_hook(note)
    training.fit()
    assert seen.shapes == {0: {(1, 4, 4)}, 1: {(1, 4, 4)}, 2: {(1, 4, 4)}, 3: {(1, 8, 8)}}
    assert set(sizes) == {(8, 8)}


def test_steps_are_tried_on_full_images() -> None:
    setup = setup_of(GROWING)
    inputs, _ = next(setup.batches.train.epoch(setup.typical_epoch))
    assert inputs.shape[2:] == (8, 8)


@pytest.mark.long
def test_every_size_is_compiled_however_many_there_are() -> None:
    growing = {"delay_fraction": 0.0, "size_increment": 1, "initial_scale": 0.1}
    train = {"epochs": 14, "compile": True, "progressive_resizing": growing}
    data = {"name": "digits", "batch_size": 500, "size": 12}
    training = Training.of(setup_of({**GROWING, "data": data, "train": train}))
    training.begin()
    torch._dynamo.reset()
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
        training.fit()
    torch._dynamo.reset()
    assert training.run.experiment.train.compile is True
    assert training.run.is_finished
