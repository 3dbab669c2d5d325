import torch
from torch import Tensor

from cnnctl.model.modules import GlobalAvgPool, GlobalMaxPool

IMAGES = torch.arange(12.0).reshape(1, 2, 2, 3)


def test_the_average_of_each_channel() -> None:
    assert GlobalAvgPool()(IMAGES).tolist() == [[2.5, 8.5]]


def test_the_largest_of_each_channel() -> None:
    assert GlobalMaxPool()(IMAGES).tolist() == [[5.0, 11.0]]


def test_the_memory_format_does_not_matter() -> None:
    images: Tensor = IMAGES.to(memory_format=torch.channels_last)
    assert torch.equal(GlobalAvgPool()(images), GlobalAvgPool()(IMAGES))
