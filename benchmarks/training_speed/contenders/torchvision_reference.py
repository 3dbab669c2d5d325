"""What torchvision's reference training of classifiers does at each step, on a CPU.

https://github.com/pytorch/vision/tree/main/references/classification: its training transforms, a
DataLoader with workers (here as many as there are cores), and the loss and the accuracies of each
batch as numbers. Crops and flips are more work than the other contenders have.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, RandomSampler
from torchvision import transforms

from benchmarks.training_speed.task import DEVIATIONS, LR, MEANS, MOMENTUM, Task, Watch

PRINT_FREQUENCY = 10


def training_transforms(side: int, channels: int) -> transforms.Compose:
    return transforms.Compose(
        [
            transforms.RandomResizedCrop(side),
            transforms.RandomHorizontalFlip(),
            transforms.PILToTensor(),
            transforms.ConvertImageDtype(torch.float),
            transforms.Normalize(MEANS[channels], DEVIATIONS[channels]),
        ]
    )


def accuracies(outputs: Tensor, targets: Tensor) -> list[float]:
    """Percentages of targets that are the best, and among the best five."""
    with torch.inference_mode():
        hits = outputs.topk(5, dim=1).indices.eq(targets[:, None])
        return [100 * hits[:, :best].any(dim=1).float().mean().item() for best in (1, 5)]


def train(task: Task, watch: Watch) -> None:
    _, channels, side, _ = task.stored()[0].shape
    dataset = task.pictures(training_transforms(side, channels))
    loader = DataLoader(
        dataset,
        batch_size=task.batch_size,
        sampler=RandomSampler(dataset),
        num_workers=os.cpu_count() or 1,
        pin_memory=torch.cuda.is_available(),
    )
    network, criterion = task.network(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=LR, momentum=MOMENTUM)
    for epoch in range(task.epochs):
        network.train()
        with watch.epoch(len(dataset)):
            for step, (images, targets) in enumerate(loader):
                outputs = network(images)
                loss = criterion(outputs, targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step()
                figures = [loss.item(), *accuracies(outputs, targets)]
                if step % PRINT_FREQUENCY == 0:
                    print(f"epoch {epoch}, step {step} of {len(loader)}: {figures}")
