"""Lightning, as "Lightning in 15 minutes" writes it: a LightningModule, a DataLoader, a Trainer.

https://lightning.ai/docs/pytorch/stable/starter/introduction.html
"""

from __future__ import annotations

import tempfile
from typing import Any

import lightning
import torch
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import transforms

from benchmarks.training_speed.task import DEVIATIONS, LR, MEANS, MOMENTUM, Task, Watch


class Classifier(lightning.LightningModule):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        x, y = batch
        loss = functional.cross_entropy(self.network(x), y)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=LR, momentum=MOMENTUM)


class Timed(lightning.Callback):
    def __init__(self, watch: Watch, images: int) -> None:
        self.watch, self.images = watch, images

    def on_train_epoch_start(self, *_: Any) -> None:
        self.watch.begin_epoch()

    def on_train_batch_end(self, *_: Any) -> None:
        self.watch.step()

    def on_train_epoch_end(self, *_: Any) -> None:
        self.watch.end_epoch(self.images)


def train(task: Task, watch: Watch) -> None:
    channels = task.stored()[0].shape[1]
    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize(MEANS[channels], DEVIATIONS[channels])]
    )
    dataset = task.pictures(transform)
    train_loader = DataLoader(dataset, batch_size=task.batch_size, shuffle=True)
    with tempfile.TemporaryDirectory() as folder:
        trainer = lightning.Trainer(
            max_epochs=task.epochs,
            default_root_dir=folder,
            callbacks=[Timed(watch, len(dataset))],
        )
        trainer.fit(model=Classifier(task.network()), train_dataloaders=train_loader)
