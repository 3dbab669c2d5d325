"""Augmentations that draw from a list of operations: RandAugment, TrivialAugment, AugMix."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Generator, Tensor

from cnnctl.data.augmentation import (
    Context,
    InputAugmentation,
    along,
    dealt,
    integers,
    need_grey_or_colours,
    piecewise,
    repeated,
)
from cnnctl.data.augmentations.mixing import Alpha, dirichlet
from cnnctl.data.augmentations.operations import (
    ENHANCING,
    Interpolation,
    Operation,
    change_by_one,
    operations,
)
from cnnctl.data.normalization import Levels
from cnnctl.data.samples import Shape
from cnnctl.errors import config_fault

Bins = Annotated[int, Field(ge=2, le=1000)]
LEVELS_OF_AUGMIX = 10
LONGEST_CHAIN = 3
"""Operations of a chain of AugMix whose length is drawn."""


class RandAugment(InputAugmentation, kind="rand_augment", short="magnitude"):
    """Change each image by operations drawn for it, all of one magnitude.

    Cubuk et al., arXiv 1909.13719, with the operations and magnitudes of torchvision.
    """

    num_ops: Annotated[int, Field(ge=0, le=100)] = 2
    """Operations for each image."""
    magnitude: Annotated[int, Field(ge=0)] = 9
    """Magnitude of all operations, from 0 to num_magnitude_bins - 1."""
    num_magnitude_bins: Bins = 31
    """Number of magnitudes."""
    interpolation: Interpolation = "nearest"
    """Interpolation of the operations that move pixels."""

    def check(self, shape: Shape) -> None:
        need_grey_or_colours(shape, kind=self.kind)
        if self.magnitude >= self.num_magnitude_bins:
            message = f"{self.magnitude} is not among the {self.num_magnitude_bins} magnitudes"
            hint = f"use a magnitude <= {self.num_magnitude_bins - 1}, or more num_magnitude_bins"
            raise config_fault(message, hint=hint, path=("magnitude",))

    def among(self, height: int, width: int) -> dict[str, Operation]:
        """The operations to draw from, by name."""
        return operations(
            shear=0.3,
            translate=(150 / 331 * width, 150 / 331 * height),
            rotate=30,
            enhance=0.9,
            bits=(8, 4),
            interpolation=self.interpolation,
        )

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        among = [*self.among(*inputs.shape[2:]).values()]
        images = repeated(inputs, len(inputs) + len(among) - 1, change=context.levels.pixels)
        for _ in range(self.num_ops):
            change_by_one(
                images,
                torch.arange(len(inputs), device=inputs.device),
                among,
                levels=inputs.new_full((len(images),), self.magnitude),
                bins=self.num_magnitude_bins,
                generator=context.generator,
            )
        return piecewise(context.levels.normalized, images[: len(inputs)])


class TrivialAugmentWide(InputAugmentation, kind="trivial_augment_wide"):
    """Change each image by one operation of a magnitude drawn for it.

    Mueller and Hutter, arXiv 2103.10158, their wide space in the form of torchvision.
    """

    num_magnitude_bins: Bins = 31
    """Number of magnitudes."""
    interpolation: Interpolation = "nearest"
    """Interpolation of the operations that move pixels."""

    def check(self, shape: Shape) -> None:
        need_grey_or_colours(shape, kind=self.kind)

    def among(self) -> dict[str, Operation]:
        """The operations to draw from, by name."""
        return operations(
            shear=0.99,
            translate=(32, 32),
            rotate=135,
            enhance=0.99,
            bits=(8, 2),
            interpolation=self.interpolation,
        )

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        among = [*self.among().values()]
        images = repeated(inputs, len(inputs) + len(among) - 1, change=context.levels.pixels)
        change_by_one(
            images,
            torch.arange(len(inputs), device=inputs.device),
            among,
            levels=integers(len(images), self.num_magnitude_bins, generator=context.generator),
            bins=self.num_magnitude_bins,
            generator=context.generator,
        )
        return piecewise(context.levels.normalized, images[: len(inputs)])


class AugMix(InputAugmentation, kind="aug_mix", short="severity"):
    """Mix each image with versions of it that chains of operations have changed.

    Hendrycks et al., arXiv 1912.02781, with the operations and magnitudes of torchvision; the
    Jensen-Shannon loss of the paper is not part of it.
    """

    severity: Annotated[int, Field(ge=1, le=LEVELS_OF_AUGMIX)] = 3
    """Number of magnitudes to draw from, the weakest of 10."""
    mixture_width: Annotated[int, Field(ge=1, le=100)] = 3
    """Number of chains."""
    chain_depth: Annotated[int, Field(ge=-1, le=100)] = -1
    """Operations in a chain; below 1, a number from 1 to 3 is drawn for each."""
    alpha: Alpha = 1.0
    """Parameter of the distributions of shares, Dirichlet for chains and Beta for their mixture."""
    all_ops: bool = True
    """Also draw brightness, contrast, colour and sharpness."""
    interpolation: Interpolation = "bilinear"
    """Interpolation of the operations that move pixels."""

    def check(self, shape: Shape) -> None:
        need_grey_or_colours(shape, kind=self.kind)

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        count, width = len(inputs), self.mixture_width
        chains = self._chains(inputs, levels=context.levels, generator=context.generator).unbind()
        of_chains = dirichlet(width, count, alpha=self.alpha, generator=context.generator)
        own, mixed = dirichlet(2, count, alpha=self.alpha, generator=context.generator)
        return piecewise(
            partial(mixture, levels=context.levels), inputs, own, *of_chains * mixed, *chains
        )

    def among(self, height: int, width: int) -> dict[str, Operation]:
        """The operations to draw from, by name."""
        known = operations(
            shear=0.3,
            translate=(width / 3, height / 3),
            rotate=30,
            enhance=0.9,
            bits=(4, 0),
            interpolation=self.interpolation,
        )
        left_out = {"identity"} if self.all_ops else {"identity", *ENHANCING}
        return {name: known[name] for name in known if name not in left_out}

    def _chains(self, inputs: Tensor, *, levels: Levels, generator: Generator) -> Tensor:
        """The pixels at the end of every chain; (N, C, H, W) -> (chains, N, C, H, W)."""
        among = [*self.among(*inputs.shape[2:]).values()]
        lengths = range(1, LONGEST_CHAIN + 1) if self.chain_depth < 1 else [self.chain_depth]
        count = self.mixture_width * len(inputs)
        rows = torch.arange(-(-count // len(lengths)) * len(lengths), device=inputs.device)
        hands = dealt(rows, len(lengths), generator=generator)
        images = repeated(inputs, len(rows) + len(among) - 1, change=levels.pixels)
        for step in range(max(lengths)):
            going_on = [h for h, length in zip(hands, lengths, strict=True) if length > step]
            change_by_one(
                images,
                torch.cat(going_on),
                among,
                levels=integers(len(images), self.severity, generator=generator),
                bins=LEVELS_OF_AUGMIX,
                generator=generator,
            )
        return images[:count].view(self.mixture_width, *inputs.shape)


def mixture(inputs: Tensor, own: Tensor, *shares_and_chains: Tensor, levels: Levels) -> Tensor:
    """Mix images with their own share (N,) and those of chains (N,), then the pixels of chains."""
    pixels = levels.pixels(inputs)
    mixed = pixels * along(own, pixels)
    width = len(shares_and_chains) // 2
    for share, chain in zip(shares_and_chains[:width], shares_and_chains[width:], strict=True):
        mixed.addcmul_(along(share, chain), chain)
    return levels.normalized(mixed)
