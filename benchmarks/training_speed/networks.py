"""The networks that all contenders train: as YAML, and as a PyTorch user writes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet18

Shape = tuple[int, int, int]
CLASSES = 10


def lenet(activation: type[nn.Module], pooling: type[nn.Module]) -> nn.Sequential:
    """LeNet-5, with tanh and average pooling or with relu and max pooling."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), activation(), pooling(2),
        nn.Conv2d(6, 16, 5), activation(), pooling(2),
        nn.Flatten(), nn.Linear(400, 120), activation(), nn.Linear(120, 84), activation(),
        nn.Linear(84, CLASSES),
    )  # fmt: skip


def lenet_in_yaml(activation: str, pooling: str) -> str:
    return f"""\
  layers:
    - conv: {{out_channels: 6, kernel_size: 5, padding: 2}}
    - {activation}
    - {pooling}: 2
    - conv: {{out_channels: 16, kernel_size: 5}}
    - {activation}
    - {pooling}: 2
    - flatten
    - linear: 120
    - {activation}
    - linear: 84
    - {activation}
    - linear: classes
"""


def mlp() -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(),
        nn.Linear(100, CLASSES),
    )  # fmt: skip


def keras_cnn() -> nn.Sequential:
    """The CNN of Keras' CIFAR-10 example."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU(),
        nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.ReLU(),
        nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Flatten(), nn.Linear(2304, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, CLASSES),
    )  # fmt: skip


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut without weights; (N, C, H, W) in and out."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.new, stride = outputs - inputs, 1 if inputs == outputs else 2
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, images: Tensor) -> Tensor:
        found = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(images)))))
        if self.new:
            images = functional.pad(images[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.new))
        return functional.relu(found + images)


def resnet20() -> nn.Sequential:
    """ResNet-20 for CIFAR (He et al. 2015), with shortcuts of option A."""
    widths = [16, 16, 16, 16, 32, 32, 32, 64, 64, 64]
    blocks = [BasicBlock(*pair) for pair in pairwise(widths)]
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES),
    )  # fmt: skip


def small_resnet18() -> nn.Module:
    """torchvision's ResNet-18 with the usual first layers for pictures of 32x32."""
    network: nn.Module = resnet18(num_classes=CLASSES)
    network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    network.maxpool = nn.Identity()
    return network


@dataclass(frozen=True)
class Network:
    """A network, and the data set that it is for."""

    build: Callable[[], nn.Module]
    model: str
    """What stands below `model:` in its experiment."""
    data: Literal["mnist", "cifar10"]
    images: int
    """Images an epoch, so that an epoch takes some seconds on two cores."""
    batch_sizes: tuple[int, ...] = (64, 512)

    @property
    def shape(self) -> Shape:
        return (1, 28, 28) if self.data == "mnist" else (3, 32, 32)

    @property
    def is_convolutional(self) -> bool:
        return self.build is not mlp


MLP = "  layers: [flatten, linear: 300, relu, linear: 100, relu, linear: classes]\n"
NETWORKS = {
    "lenet": Network(
        lambda: lenet(nn.ReLU, nn.MaxPool2d), lenet_in_yaml("relu", "max_pool"), "mnist", 20_480
    ),
    "lenet_tanh": Network(
        lambda: lenet(nn.Tanh, nn.AvgPool2d), lenet_in_yaml("tanh", "avg_pool"), "mnist", 20_480
    ),
    "mlp": Network(mlp, MLP, "mnist", 60_000),
    "keras_cnn": Network(keras_cnn, "  zoo: keras_cnn\n", "cifar10", 5_120, (128,)),
    "resnet20": Network(resnet20, "  zoo: resnet20\n", "cifar10", 2_560),
    "resnet18": Network(small_resnet18, "  zoo: resnet18\n  stem: cifar\n", "cifar10", 1_024),
}
