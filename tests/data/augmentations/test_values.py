from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torchvision.transforms.v2 import functional as transforms

from cnnctl.data.augmentations import Augmentation, Context, InputAugmentation
from cnnctl.data.augmentations.values import stretched
from cnnctl.data.normalization import Levels

MEAN = torch.tensor([0.3, 0.5, 0.4]).view(3, 1, 1)
STD = torch.tensor([0.2, 0.3, 0.25]).view(3, 1, 1)
BLACK = -MEAN / STD
LEVELS = Levels(black=BLACK, white=(1 - MEAN) / STD)


def augment(written: str | dict[str, Any], inputs: Tensor) -> Tensor:
    generator = Generator().manual_seed(0)
    augmentation = Augmentation.read(written)
    assert isinstance(augmentation, InputAugmentation)
    return augmentation.augment(inputs, Context(LEVELS, generator, torch.arange(len(inputs))))


def test_brightness_multiplies_pixels_as_torchvision_does() -> None:
    pixels = torch.rand(4, 3, 5, 5) / 2
    factors = torch.tensor([0.0, 0.5, 1.0, 1.9])
    out = stretched((pixels - MEAN) / STD, factor=factors, about=BLACK) * STD + MEAN
    for image, pixel, factor in zip(out, pixels, factors, strict=True):
        expected = transforms.adjust_brightness(pixel, float(factor))
        torch.testing.assert_close(image, expected, atol=1e-6, rtol=0)


def test_contrast_of_grey_images_is_torchvisions() -> None:
    pixels = torch.rand(4, 1, 5, 5) / 2 + 0.25
    factors = torch.tensor([0.0, 0.5, 1.0, 1.4])
    inputs = (pixels - 0.4) / 0.3
    about = inputs.mean(dim=(2, 3), keepdim=True)
    out = stretched(inputs, factor=factors, about=about) * 0.3 + 0.4
    for image, pixel, factor in zip(out, pixels, factors, strict=True):
        expected = transforms.adjust_contrast(pixel, float(factor))
        torch.testing.assert_close(image, expected, atol=1e-6, rtol=0)


def test_contrast_keeps_the_mean_and_brightness_keeps_black() -> None:
    inputs = torch.randn(50, 3, 6, 6)
    out = augment({"contrast": 0.8}, inputs)
    torch.testing.assert_close(out.mean(dim=(2, 3)), inputs.mean(dim=(2, 3)), atol=1e-6, rtol=0)
    dark = BLACK.expand(50, 3, 6, 6)
    torch.testing.assert_close(augment({"brightness": 0.8}, dark), dark)


@pytest.mark.parametrize("kind", ["brightness", "contrast"])
def test_factors_are_spread_over_their_range(kind: str) -> None:
    inputs = torch.randn(5000, 3, 4, 4)
    about = BLACK if kind == "brightness" else inputs.mean(dim=(2, 3), keepdim=True)
    for strength, low, high in ((0.4, 0.6, 1.4), (1.5, 0.0, 2.5)):
        out = augment({kind: strength}, inputs)
        factors = ((out - about) * (inputs - about)).sum((1, 2, 3)) / (
            (inputs - about).square().sum((1, 2, 3))
        )
        assert factors.min().item() == pytest.approx(low, abs=0.01)
        assert factors.max().item() == pytest.approx(high, abs=0.01)


@pytest.mark.parametrize("shape", [(400, 3, 10, 10), (40_000, 3)])
def test_noise_has_its_deviation_on_images_and_on_vectors(shape: tuple[int, ...]) -> None:
    noise = augment({"noise": 0.5}, torch.ones(shape)) - 1
    assert noise.mean().item() == pytest.approx(0, abs=0.01)
    assert noise.std().item() == pytest.approx(0.5, abs=0.01)
