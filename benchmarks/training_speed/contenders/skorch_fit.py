"""skorch, as its tutorial on MNIST writes it: arrays of floats, NeuralNetClassifier, fit.

https://skorch.readthedocs.io; without a split for validation, as the others have none.
"""

from __future__ import annotations

from typing import Any

import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback

from benchmarks.training_speed.task import LR, MOMENTUM, Task, Watch


class Timed(Callback):
    def __init__(self, watch: Watch, images: int) -> None:
        self.watch, self.images = watch, images

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        self.watch.begin_epoch()

    def on_batch_end(self, *_: Any, **__: Any) -> None:
        self.watch.step()

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        self.watch.end_epoch(self.images)


def train(task: Task, watch: Watch) -> None:
    inputs, labels = (each.numpy() for each in task.normalised())
    net = NeuralNetClassifier(
        task.network(),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        optimizer__momentum=MOMENTUM,
        lr=LR,
        batch_size=task.batch_size,
        max_epochs=task.epochs,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks=[("timed", Timed(watch, len(inputs)))],
    )
    net.fit(inputs, labels)
