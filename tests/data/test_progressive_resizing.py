"""The sizes of growing images are those of the formula of Composer, epoch by epoch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torchvision.transforms.v2 import functional as transforms

from cnnctl.config.nodes import Place, from_plain
from cnnctl.config.validation import validate
from cnnctl.data.progressive_resizing import ProgressiveResizing, resized
from cnnctl.errors import FaultError


def read(**options: Any) -> ProgressiveResizing:
    return validate(ProgressiveResizing, from_plain(options, Place("test")))


def test_images_grow_between_delay_and_fine_tuning() -> None:
    # epochs 0 to 4 are before the delay, a half of ten; from 5 to 8 the scale rises from 0.5 to 1
    sizes = read().sizes(epochs=10, full=(32, 48))
    assert sizes == [(16, 24)] * 6 + [(20, 32), (28, 40), (32, 48), (32, 48)]


@pytest.mark.parametrize(
    ("options", "sides"),
    [
        ({"delay_fraction": 0.0, "finetune_fraction": 0.0}, [16, 20, 24, 32]),
        ({"delay_fraction": 0.0, "finetune_fraction": 0.0, "size_increment": 1}, [16, 20, 24, 32]),
        ({"delay_fraction": 0.5, "finetune_fraction": 0.5}, [16, 16, 32, 32]),
        ({"delay_fraction": 1.0, "finetune_fraction": 0.0}, [16, 16, 16, 32]),
        ({"initial_scale": 0.05, "delay_fraction": 0.75}, [4, 4, 4, 32]),
        ({"initial_scale": 1.0}, [32, 32, 32, 32]),
        ({"size_increment": 100}, [32, 32, 32, 32]),
    ],
)
def test_the_last_epoch_has_full_images(options: dict[str, Any], sides: list[int]) -> None:
    sizes = read(**options).sizes(epochs=4, full=(32, 32))
    assert sizes == [(side, side) for side in sides]


def test_a_run_of_one_epoch_has_full_images() -> None:
    assert read().sizes(epochs=1, full=(30, 31)) == [(30, 31)]


def test_the_share_of_pixels_is_their_mean() -> None:
    options = read(delay_fraction=0.5, finetune_fraction=0.5)
    assert options.share(epochs=4, full=(32, 32)) == (0.25 + 0.25 + 1 + 1) / 4


def test_no_time_to_grow_is_refused() -> None:
    with pytest.raises(FaultError, match="add up to more than 1"):
        read(delay_fraction=0.6, finetune_fraction=0.5)


def test_images_are_resized_as_by_torchvision() -> None:
    images = torch.randn(3, 2, 16, 12, generator=torch.Generator().manual_seed(0))
    assert torch.equal(resized(images, (8, 7)), transforms.resize(images, [8, 7], antialias=True))
    assert resized(images, (16, 12)) is images
    assert len(resized(images[:0], (8, 7))) == 0
