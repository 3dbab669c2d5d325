import pytest
import torch
from pydantic import ValidationError
from torchvision.transforms.v2 import functional as transforms

from cnnctl.data.augmentations import Augmentation
from cnnctl.data.augmentations.filters import adjust_sharpness, blurred, gaussian_kernels
from cnnctl.errors import FaultError
from tests.data.augmentations.conftest import augment, normalized, random_bytes


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [1, 3, 5, 15])
def test_a_blur_is_torchvisions(size: int, channels: int) -> None:
    inputs = normalized(random_bytes(channels=channels))
    sigma = torch.tensor([0.1, 0.5, 0.9, 1.3, 2.0, 7.0])
    found = blurred(inputs, gaussian_kernels(sigma, size=size))
    for image, out, deviation in zip(inputs, found, sigma.tolist(), strict=True):
        expected = transforms.gaussian_blur(image, [size, size], [deviation, deviation])
        torch.testing.assert_close(out, expected, atol=1e-5, rtol=0)


def test_deviations_are_spread_over_their_range() -> None:
    dot = torch.zeros(3000, 1, 5, 5)
    dot[:, :, 2, 2] = 1
    out = augment({"gaussian_blur": {"kernel_size": 3, "sigma": [0.5, 1.5]}}, dot)
    # beside the middle of a filter of 3 pixels stands exp(-1 / (2 sigma^2)) of it
    sigma = (-2 * (out[:, 0, 2, 1] / out[:, 0, 2, 2]).log()).rsqrt()
    assert sigma.min().item() == pytest.approx(0.5, abs=0.01)
    assert sigma.max().item() == pytest.approx(1.5, abs=0.01)
    assert sigma.mean().item() == pytest.approx(1, abs=0.03)  # five standard errors


def test_as_many_are_blurred_as_the_chance_says() -> None:
    inputs = normalized(random_bytes(2000, height=4, width=4))
    out = augment({"gaussian_blur": {"kernel_size": 3, "p": 0.25}}, inputs)
    changed = (out != inputs).flatten(1).any(dim=1).sum()
    # the weakest blurs change nothing, down to the last bit
    assert abs(int(changed) - 500) < 100
    assert torch.equal(augment({"gaussian_blur": {"kernel_size": 3, "p": 0.0}}, inputs), inputs)


@pytest.mark.parametrize(
    ("size", "message", "hint"),
    [
        (4, "4 is even, so the filter has no centre", "use 3 or 5"),
        (15, "a filter of 15 pixels is too large for images of 7x9", "use <= 13"),
    ],
)
def test_a_filter_that_does_not_fit_is_a_fault(size: int, message: str, hint: str) -> None:
    Augmentation.read({"gaussian_blur": 13}).check((3, 7, 9))
    with pytest.raises(FaultError) as error:
        Augmentation.read({"gaussian_blur": size}).check((3, 7, 9))
    (fault,) = error.value.faults
    assert (fault.message, fault.hint, fault.path) == (message, hint, ("kernel_size",))


@pytest.mark.parametrize("sigma", [[0, 1], [2, 1], 1.0])
def test_deviations_that_are_no_range_are_refused(sigma: object) -> None:
    with pytest.raises(ValidationError):
        Augmentation.read({"gaussian_blur": {"kernel_size": 3, "sigma": sigma}})


@pytest.mark.parametrize("channels", [1, 3])
def test_sharpness_is_torchvisions(channels: int) -> None:
    pixels = random_bytes(channels=channels) / 255
    factors = torch.tensor([0.0, 0.1, 0.7, 1.0, 1.5, 1.9])
    found = adjust_sharpness(pixels, factors)
    for image, out, factor in zip(pixels, found, factors.tolist(), strict=True):
        expected = transforms.adjust_sharpness(image, factor)
        torch.testing.assert_close(out, expected, atol=1e-6, rtol=0)


def test_images_without_a_middle_stay_as_they_are() -> None:
    pixels = torch.rand(4, 3, 2, 9)
    assert torch.equal(adjust_sharpness(pixels, torch.zeros(4)), pixels)
