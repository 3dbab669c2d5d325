"""The images that all contenders train on, in one file for each network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.training_speed.networks import CLASSES, Network

TESTED = 500
"""Images of the test split, which only cnnctl reads."""


def write_images(network: Network, count: int, file: Path, data: Path | None) -> None:
    """Write `count` images: MNIST's or CIFAR-10's from torchvision's folder, or else noise."""
    images, labels = noise(network, count + TESTED) if data is None else published(network, data)
    count = min(count, len(images) - TESTED)
    np.savez(
        file,
        x_train=images[:count],
        y_train=labels[:count],
        x_test=images[-TESTED:],
        y_test=labels[-TESTED:],
    )


def noise(network: Network, count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    channels, *sides = network.shape
    shape = [count, *([channels] if channels > 1 else []), *sides]
    images = random.integers(0, 256, shape, dtype=np.uint8)
    return images, np.arange(count) % CLASSES


def published(network: Network, data: Path) -> tuple[np.ndarray, np.ndarray]:
    from torchvision.datasets import CIFAR10, MNIST

    if network.data == "mnist":
        mnist = MNIST(data)
        return mnist.data.numpy(), mnist.targets.numpy()
    cifar = CIFAR10(data)
    return cifar.data.transpose(0, 3, 1, 2), np.array(cifar.targets)
