"""The base of augmentations: random changes of whole batches, drawn for each sample.

Random numbers come from the given generator, which is on the device of the batch, so nothing waits
for the device.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import torch
from torch import Generator, Tensor

from cnnctl.config.bounds import UnitInterval
from cnnctl.config.choice import Choice
from cnnctl.config.wording import times
from cnnctl.data.normalization import Levels
from cnnctl.data.samples import Shape
from cnnctl.errors import config_fault

PIECE = 2**19
"""Numbers in the images that a CPU changes at a time, 2 MB."""


GAMMA, MIX_1, MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
"""The constants of SplitMix64."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a batch of training is changed by, besides its inputs."""

    levels: Levels
    """The normalised values of black and white: uncovered pixels are black, and colours are
    changed on pixels from 0 to 1."""
    generator: Generator
    """Random numbers of this batch alone, on its device."""
    rows: Tensor
    """Positions of its samples in the dataset, (N,) int64."""
    epoch: int = 0
    """Epochs completed before it."""
    seed: int = 0
    """For what a sample keeps from epoch to epoch; see `drawn_once`."""

    def drawn_once(self, *, salt: int) -> Tensor:
        """A number from 0 to 1 for every sample, the same in all epochs; (N,) float32.

        Different salts give unrelated numbers.
        """
        words = split_mix(self.rows, seed=self.seed + salt)
        return shifted_right(words, 40).float() / 2**24


class Augmentation(Choice, family="augmentations", item=True):
    """A random change of training batches."""

    mirrors: ClassVar[bool] = False
    """Whether it makes mirror images."""

    @property
    def turns(self) -> float:
        """The largest angle that it turns images by, in degrees."""
        return 0.0

    @abstractmethod
    def check(self, shape: Shape) -> None:
        """Raise a FaultError if this does not fit samples of this shape."""


class InputAugmentation(Augmentation):
    """Changes the inputs, not the targets."""

    @abstractmethod
    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        """Change a normalised batch; (N, C, H, W), (N, C, L) or (N, F) float in and out."""


class Mixing(Augmentation):
    """Mixes samples, and their targets with them."""

    p: UnitInterval = 1.0
    """Probability that a sample is mixed."""

    @abstractmethod
    def mix(
        self, inputs: Tensor, targets: Tensor, *, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Mix a batch with itself; targets are (N, classes) probabilities in and out."""


def need_images(shape: Shape, *, kind: str) -> None:
    """Raise a FaultError for samples that are not images."""
    if len(shape) != 3:
        what = "signals" if len(shape) == 2 else "vectors"
        message = f"{kind} needs images, but the samples are {what} of {times(shape)}"
        raise config_fault(message, hint="leave it out")


def need_colours(shape: Shape, *, kind: str) -> None:
    """Raise a FaultError for samples that are not images of red, green and blue."""
    need_images(shape, kind=kind)
    if shape[0] != 3:
        message = f"{kind} needs colours, but images have {shape[0]} channel{'s' * (shape[0] > 1)}"
        raise config_fault(message, hint="leave it out")


def need_grey_or_colours(shape: Shape, *, kind: str) -> None:
    """Raise a FaultError for samples that are not images of 1 or 3 channels."""
    need_images(shape, kind=kind)
    if shape[0] not in (1, 3):
        message = f"{kind} needs grey images or colours, but images have {shape[0]} channels"
        raise config_fault(message, hint="leave it out")


def uniform(samples: int, low: float, high: float, *, generator: Generator) -> Tensor:
    """A random number between these two for every sample; (N,) float32."""
    drawn = torch.empty(samples, device=generator.device)
    return drawn.uniform_(low, high, generator=generator)


def chosen(samples: int, *, p: float, generator: Generator) -> Tensor:
    """Choose each sample with this probability; (N,) bool."""
    return torch.rand(samples, generator=generator, device=generator.device) < p


def integers(samples: int, below: int, *, generator: Generator) -> Tensor:
    """A random integer from 0 to `below` - 1 for every sample; (N,) int64."""
    return torch.randint(below, (samples,), generator=generator, device=generator.device)


def split_mix(rows: Tensor, *, seed: int) -> Tensor:
    """The numbers at these places (N,) of a SplitMix64 sequence, as signed words; (N,) int64.

    Steele, Lea and Flood, Fast splittable pseudorandom number generators (2014), figure 13.
    """
    words = (rows + 1) * signed(GAMMA) + signed(seed)
    words = (words ^ shifted_right(words, 30)) * signed(MIX_1)
    words = (words ^ shifted_right(words, 27)) * signed(MIX_2)
    return words ^ shifted_right(words, 31)


def signed(word: int) -> int:
    """The int64 with the last 64 bits of this number."""
    return (word + 2**63) % 2**64 - 2**63


def shifted_right(words: Tensor, bits: int) -> Tensor:
    """Shift int64 words, filling up with zeros instead of their sign."""
    kept: Tensor = (words >> bits) & (2 ** (64 - bits) - 1)
    return kept


def dealt(rows: Tensor, hands: int, *, generator: Generator) -> Tensor:
    """Rows (N,) in random order, dealt out to equally many in each hand; (hands, N / hands).

    Each row is in every hand with the same probability, and the sizes are known without waiting
    for the device.
    """
    drawn = torch.rand(len(rows), generator=generator, device=generator.device)
    return rows[drawn.argsort(stable=True)].view(hands, -1)


def up_to(limits: Tensor, *, generator: Generator) -> Tensor:
    """A whole number from 0 to each limit, itself included; (N,) float32 in and out."""
    drawn = uniform(len(limits), 0, 1, generator=generator) * (limits + 1)
    return torch.minimum(drawn.floor(), limits)  # rounding may reach limit + 1


def at_a_time(images: Tensor) -> int:
    """How many images (N, C, H, W) to change at a time: on a GPU all, on a CPU only a few.

    What comes up between two steps then stays in the caches; memory for large batches is new each
    time, and touching it costs as much as twenty additions.
    """
    if images.device.type != "cpu":
        return len(images)
    return max(1, PIECE // prod(images.shape[1:]))


def piecewise(change: Callable[..., Tensor], images: Tensor, *drawn: Tensor) -> Tensor:
    """Change images by what was drawn for each, (N, …) every one, a few at a time."""
    size = at_a_time(images)
    if len(images) <= size:
        return change(images, *drawn)
    changed = torch.empty_like(images)
    for first in range(0, len(images), size):
        piece = slice(first, first + size)
        changed[piece] = change(images[piece], *(each[piece] for each in drawn))
    return changed


def change_rows(
    change: Callable[..., Tensor], images: Tensor, rows: Tensor, *drawn: Tensor
) -> None:
    """Change the images at these rows in place, by what was drawn for every image."""
    for piece in torch.split(rows, at_a_time(images)):
        own = (each.index_select(0, piece) for each in drawn)
        images.index_copy_(0, piece, change(images.index_select(0, piece), *own))


def repeated(images: Tensor, count: int, *, change: Callable[[Tensor], Tensor]) -> Tensor:
    """The changed images, followed by themselves until there are so many; (count, C, H, W)."""
    changed = images.new_empty(count, *images.shape[1:])
    for piece in torch.split(torch.arange(count, device=images.device), at_a_time(images)):
        changed.index_copy_(0, piece, change(images.index_select(0, piece % len(images))))
    return changed


def along(values: Tensor, inputs: Tensor) -> Tensor:
    """Reshape (N,) values to broadcast over (N, …) inputs."""
    return values.view(-1, *[1] * (inputs.ndim - 1))
