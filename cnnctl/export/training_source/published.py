"""Published datasets as code: those of torchvision."""

from __future__ import annotations

from cnnctl.data.sources.cifar import CifarSet
from cnnctl.data.sources.mnist import Emnist, MnistLike
from cnnctl.data.sources.svhn import Svhn
from cnnctl.errors import config_fault
from cnnctl.export.training_source.reading import (
    HEADER,
    Needs,
    image_lines,
    reading_source,
    split_function,
)


@reading_source.register
def _(data: MnistLike, needs: Needs) -> str:
    name = data.folder
    code = split_function(
        f"The images of {name}, downloaded on first use.",
        f"stored = {name}(DATA, train=train, download=True)",
        *image_lines("stored.data[:, None]", data),
        "return images, stored.targets",
    )
    return f"from torchvision.datasets import {name}\n{HEADER}{code}"


@reading_source.register
def _(data: Emnist, needs: Needs) -> str:
    code = split_function(
        "The images of EMNIST, upright, downloaded on first use.",
        f'stored = EMNIST(DATA, split="{data.split}", train=train, download=True)',
        *image_lines("stored.data[:, None].transpose(2, 3)", data),
        f"return images, stored.targets{' - 1' if data.split == 'letters' else ''}",
    )
    return f"from torchvision.datasets import EMNIST\n{HEADER}{code}"


@reading_source.register
def _(data: CifarSet, needs: Needs) -> str:
    name = data.published().__name__
    if needs.targets != (data.labels if data.coarse_labels else "target",):
        message = "torchvision does not read the coarse labels of CIFAR-100"
        raise config_fault(message, hint="leave out --training", path=("model", "heads"))
    code = split_function(
        f"The images of {name}, downloaded on first use.",
        f"stored = {name}(DATA, train=train, download=True)",
        *image_lines("torch.from_numpy(stored.data).permute(0, 3, 1, 2).contiguous()", data),
        "return images, torch.tensor(stored.targets)",
    )
    return f"from torchvision.datasets import {name}\n{HEADER}{code}"


@reading_source.register
def _(data: Svhn, needs: Needs) -> str:
    code = split_function(
        "The images of SVHN, downloaded on first use.",
        'stored = SVHN(DATA, split="train" if train else "test", download=True)',
        *image_lines("torch.from_numpy(stored.data)", data),
        "return images, torch.from_numpy(stored.labels)",
    )
    return f"from torchvision.datasets import SVHN\n{HEADER}{code}"
