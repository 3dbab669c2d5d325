"""Augmentations that mix each sample, and its target, with another one of the batch."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Generator, Tensor

from cnnctl.data.augmentation import Mixing, along, chosen, integers, need_images
from cnnctl.data.augmentations.boxes import boxes
from cnnctl.data.samples import Shape

Alpha = Annotated[float, Field(ge=0.01, le=1000)]


def blended(values: Tensor, *, share: Tensor) -> Tensor:
    """Blend each sample, by its share (N,), with the previous one; (N, …) in and out."""
    return torch.lerp(values.roll(1, dims=0), values, along(share, values))


def dirichlet(parts: int, samples: int, *, alpha: float, generator: Generator) -> Tensor:
    """Shares of the parts of each sample, of a symmetric Dirichlet distribution; (parts, N)."""
    # what torch.distributions does, which takes no generator
    alphas = torch.full((parts, samples), alpha, dtype=torch.float64, device=generator.device)
    drawn: Tensor = torch._standard_gamma(alphas, generator=generator)
    return (drawn / drawn.sum(dim=0)).float()


def shares(samples: int, *, alpha: float, p: float, generator: Generator) -> Tensor:
    """The share of each sample: Beta(alpha, alpha) with probability p, otherwise 1; (N,)."""
    drawn = dirichlet(2, samples, alpha=alpha, generator=generator)[0]
    return drawn.masked_fill(~chosen(samples, p=p, generator=generator), 1.0)


class Mixup(Mixing, kind="mixup", short="alpha"):
    """Blend each sample with another one; Zhang et al., arXiv 1710.09412."""

    alpha: Alpha = 1.0
    """Parameter of the Beta distribution of ratios: small values mix little, 1 is uniform."""

    def check(self, shape: Shape) -> None:
        """Mixup fits every shape."""

    def mix(
        self, inputs: Tensor, targets: Tensor, *, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        share = shares(len(inputs), alpha=self.alpha, p=self.p, generator=generator)
        return blended(inputs, share=share), blended(targets, share=share)


class CutMix(Mixing, kind="cutmix", short="alpha"):
    """Paste a box of another image into each one; Yun et al., arXiv 1905.04899."""

    alpha: Alpha = 1.0
    """Parameter of the Beta distribution of the area kept; 1 is uniform."""

    def check(self, shape: Shape) -> None:
        need_images(shape, kind=self.kind)

    def mix(
        self, inputs: Tensor, targets: Tensor, *, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        kept = shares(len(inputs), alpha=self.alpha, p=self.p, generator=generator)
        pasted = random_boxes(inputs, area=1 - kept, generator=generator)
        mixed = torch.where(pasted, inputs.roll(1, dims=0), inputs)
        return mixed, blended(targets, share=1 - pasted.float().mean(dim=(1, 2, 3)))


def random_boxes(images: Tensor, *, area: Tensor, generator: Generator) -> Tensor:
    """A box for each image (N, C, H, W), with this fraction (N,) of its area before it is clipped
    to the image; (N, 1, H, W) bool."""
    count, _, height, width = images.shape
    y, x = (integers(count, side, generator=generator) for side in (height, width))
    half_height, half_width = (area.sqrt() * side / 2 for side in (height, width))
    return boxes(
        height,
        width,
        top=(y - half_height).round(),
        bottom=(y + half_height).round(),
        left=(x - half_width).round(),
        right=(x + half_width).round(),
    )
