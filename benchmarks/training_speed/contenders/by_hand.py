"""Plain loops over normalised images in memory: a permutation an epoch, an index a batch."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch.nn import functional

from benchmarks.training_speed.task import LR, MOMENTUM, Task, Watch


def train(
    task: Task, watch: Watch, *, fused: bool = True, channels_last: bool = False, bf16: bool = False
) -> None:
    images, labels = task.normalised()
    network = task.network()
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
        network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=LR, momentum=MOMENTUM, fused=fused)
    precision = torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext()
    for _ in range(task.epochs):
        with watch.epoch(len(images)):
            for rows in torch.randperm(len(images)).split(task.batch_size):
                with precision:
                    loss = functional.cross_entropy(network(images[rows]), labels[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step()


def plain(task: Task, watch: Watch) -> None:
    """In fp32, with the optimizer as it comes."""
    train(task, watch, fused=False)


def fused(task: Task, watch: Watch) -> None:
    """In fp32, with a fused optimizer."""
    train(task, watch)


def channels_last(task: Task, watch: Watch) -> None:
    """In fp32 and channels_last, with a fused optimizer."""
    train(task, watch, channels_last=True)


def bf16(task: Task, watch: Watch) -> None:
    """In bf16 and channels_last, with a fused optimizer."""
    train(task, watch, channels_last=True, bf16=True)
