"""What a contender is to train, and the watch that it is measured with."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor, nn

LR, MOMENTUM = 0.01, 0.9
MEANS = {1: (0.1307,), 3: (0.4914, 0.4822, 0.4465)}
DEVIATIONS = {1: (0.3081,), 3: (0.2470, 0.2435, 0.2616)}
"""Of MNIST and CIFAR-10, by number of channels, as their examples write them."""


@dataclass(frozen=True)
class Task:
    """A network, a batch size, and the images in a file."""

    model: str
    batch_size: int
    epochs: int
    file: Path
    """.npz with x_train, bytes (N, H, W) or (N, 3, H, W), and y_train."""
    options: tuple[str, ...] = ()
    """Overrides for cnnctl."""

    def network(self) -> nn.Module:
        from benchmarks.training_speed.networks import NETWORKS

        return NETWORKS[self.model].build()

    def stored(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Bytes (N, C, H, W), and labels (N,)."""
        with np.load(self.file) as arrays:
            images, labels = arrays["x_train"], arrays["y_train"]
        return images if images.ndim == 4 else images[:, None], labels

    def normalised(self) -> tuple[Tensor, Tensor]:
        """Floats (N, C, H, W), and labels (N,)."""
        import torch

        images, labels = map(torch.from_numpy, self.stored())
        channels = images.shape[1]
        mean, std = (torch.tensor(of[channels])[:, None, None] for of in (MEANS, DEVIATIONS))
        return (images.float() / 255 - mean) / std, labels

    def pictures(self, transform: Any) -> Pictures:
        return Pictures(self, transform)


class Pictures:
    """Images as torchvision's MNIST and CIFAR10 give them: from an array, through PIL."""

    def __init__(self, task: Task, transform: Any) -> None:
        images, self.targets = task.stored()
        self.data = images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.transform(self.picture(index)), int(self.targets[index])

    def picture(self, index: int) -> Image.Image:
        from PIL import Image

        return Image.fromarray(np.ascontiguousarray(self.data[index]))


class Watch:
    """Takes the time of the first step and of each epoch."""

    def __init__(self, started: float) -> None:
        """From the time, in seconds since 1970, at which the process was started."""
        self.started = started
        self.first_step: float | None = None
        self.speeds: list[float] = []
        self._begun = 0.0

    def step(self) -> None:
        """An optimizer step is done."""
        if self.first_step is None:
            self.first_step = time.time() - self.started

    def begin_epoch(self) -> None:
        self._begun = time.perf_counter()

    def end_epoch(self, images: int) -> None:
        self.speeds.append(images / (time.perf_counter() - self._begun))

    @contextmanager
    def epoch(self, images: int) -> Iterator[None]:
        self.begin_epoch()
        yield
        self.end_epoch(images)


def peak_mib() -> float:
    """The most memory that this process has held, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # unlike ru_maxrss without what the process was forked from
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
