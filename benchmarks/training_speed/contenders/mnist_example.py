"""PyTorch's MNIST example: per-sample transforms, a DataLoader, a line every ten batches.

https://github.com/pytorch/examples/blob/main/mnist/main.py, with the network and the optimizer of
the task, whose outputs are not yet logarithms.
"""

from __future__ import annotations

from torch import optim
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import transforms

from benchmarks.training_speed.task import DEVIATIONS, LR, MEANS, MOMENTUM, Task, Watch

LOG_INTERVAL = 10


def train(task: Task, watch: Watch) -> None:
    channels = task.stored()[0].shape[1]
    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize(MEANS[channels], DEVIATIONS[channels])]
    )
    dataset = task.pictures(transform)
    train_loader = DataLoader(dataset, batch_size=task.batch_size, shuffle=True)
    model = task.network()
    optimizer = optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
    for epoch in range(task.epochs):
        with watch.epoch(len(dataset)):
            model.train()
            for batch_idx, (data, target) in enumerate(train_loader):
                optimizer.zero_grad()
                output = model(data)
                loss = functional.cross_entropy(output, target)
                loss.backward()
                optimizer.step()
                watch.step()
                if batch_idx % LOG_INTERVAL == 0:
                    done, of = batch_idx * len(data), len(train_loader.dataset)
                    share = 100.0 * batch_idx / len(train_loader)
                    print(f"Train Epoch: {epoch} [{done}/{of} ({share:.0f}%)]\tLoss: {loss.item()}")
