"""Test-time augmentation: the outputs of a network, averaged over several views of each image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnctl.data.augmentation import need_images
from cnnctl.errors import config_fault
from cnnctl.trained import TrainedNetwork

VIEWS = (1, 2, 3, 6)
"""As it is; mirrored too; shifted too; shifted and mirrored too."""


class Viewed(nn.Module):
    """Averages the outputs of a network over so many views of each image; see `views_of`.

    Outputs are averaged as they are, logits as logits.
    """

    def __init__(self, network: nn.Module, *, views: int) -> None:
        super().__init__()
        self.network, self.views = network, views

    def forward(self, images: Tensor) -> Tensor:
        views = views_of(images, self.views)
        return torch.stack([weight * self.network(view).float() for weight, view in views]).sum(0)


def views_of(images: Tensor, views: int) -> Iterator[tuple[float, Tensor]]:
    """The views of images (N, C, H, W), and the weights of their outputs, which sum to 1.

    2 are an image and its mirror image, with the same weight. 3 are the image, with a weight of a
    half, and its shifts by a pixel up and left, and down and right, with reflected borders. 6 are
    those three and their mirror images: level 2 of Jordan, arXiv 2404.00498.
    """
    versions = _shifted(images) if views % 3 == 0 else [(1.0, images)]
    for weight, version in versions:
        if views % 2:
            yield weight, version
        else:
            yield weight / 2, version
            yield weight / 2, version.flip(3)


def _shifted(images: Tensor) -> Iterator[tuple[float, Tensor]]:
    height, width = images.shape[2:]
    yield 0.5, images
    wide = functional.pad(images, [1] * 4, mode="reflect")
    for top in (0, 2):
        yield 0.25, wide[:, :, top : top + height, top : top + width]


def with_views(trained: TrainedNetwork, views: int) -> TrainedNetwork:
    """The same network, with its outputs averaged over so many views of each image.

    Raises:
        FaultError: there is no such number of views, or its inputs are no images, or too small.
    """
    if views not in VIEWS:
        message = f"there are no sets of {views} views"
        raise config_fault(message, hint="use 2, 3 or 6")
    if views == 1:
        return trained
    shape = trained.plan.input
    need_images(shape, kind=f"--views {views}")
    if views % 3 == 0 and min(shape[1:]) < 2:
        message = f"--views {views} cannot shift images of {shape[1]}x{shape[2]} pixels"
        raise config_fault(message, hint="use 2 views")
    return replace(trained, network=Viewed(trained.network, views=views).eval())
