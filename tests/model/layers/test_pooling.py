from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cnnctl.model.layer import Layer, Shape

CASES: list[tuple[Any, Shape, nn.Module]] = [
    ("max_pool", (2, 9, 9), nn.MaxPool2d(2)),
    ({"max_pool": [2, 3]}, (2, 9, 9), nn.MaxPool2d((2, 3))),
    (
        {"max_pool": {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2}},
        (2, 9, 9),
        nn.MaxPool2d(3, 2, 1, 2),
    ),
    (
        {"max_pool": {"kernel_size": 3, "stride": 2, "ceil_mode": True}},
        (2, 8, 8),
        nn.MaxPool2d(3, 2, ceil_mode=True),
    ),
    (
        {"max_pool": {"kernel_size": 3, "stride": 2, "ceil_mode": True}},
        (2, 2, 2),
        nn.MaxPool2d(3, 2, ceil_mode=True),
    ),
    ({"max_pool": 3}, (2, 9), nn.MaxPool1d(3)),
    (
        {"max_pool": {"kernel_size": 3, "stride": 1, "padding": 1, "dilation": 2}},
        (2, 9),
        nn.MaxPool1d(3, 1, 1, 2),
    ),
    ("avg_pool", (2, 9, 9), nn.AvgPool2d(2)),
    (
        {"avg_pool": {"kernel_size": 3, "stride": [2, 1], "padding": 1, "ceil_mode": True}},
        (2, 9, 8),
        nn.AvgPool2d(3, (2, 1), 1, ceil_mode=True),
    ),
    (
        {"avg_pool": {"kernel_size": 3, "padding": 1, "count_include_pad": False}},
        (2, 9, 9),
        nn.AvgPool2d(3, padding=1, count_include_pad=False),
    ),
    ({"avg_pool": 3}, (2, 9), nn.AvgPool1d(3)),
    ({"adaptive_max_pool": 3}, (2, 8, 9), nn.AdaptiveMaxPool2d(3)),
    ({"adaptive_max_pool": 3}, (2, 8), nn.AdaptiveMaxPool1d(3)),
    ({"adaptive_avg_pool": [3, 1]}, (2, 8, 9), nn.AdaptiveAvgPool2d((3, 1))),
    ({"adaptive_avg_pool": 3}, (2, 8), nn.AdaptiveAvgPool1d(3)),
]


@pytest.mark.parametrize(("item", "input", "expected"), CASES, ids=str)
def test_pooling_is_torchs_own(
    item: Any, input: Shape, expected: nn.Module, same: Callable[..., None]
) -> None:
    same(item, input, expected)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("global_avg_pool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())),
        ("global_max_pool", nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten())),
    ],
)
def test_global_pooling_is_adaptive_pooling_to_one_value(kind: str, expected: nn.Module) -> None:
    images = torch.randn(3, 5, 6, 7)
    layer = Layer.read(kind)
    pooled = layer.build((5, 6, 7))(images)
    assert pooled.shape == (3, 5)
    torch.testing.assert_close(pooled, expected(images))
    signals = images.flatten(2)
    torch.testing.assert_close(layer.build((5, 42))(signals), pooled)


@pytest.mark.parametrize(
    ("item", "input", "fault"),
    [
        (
            "max_pool: 4",
            (16, 3, 3),
            "max_pool.kernel_size: 4 does not fit an input of 3x3 with 16 channels\n"
            "    use kernel_size <= 3, or add padding",
        ),
        (
            "avg_pool: {kernel_size: 6, padding: 1}",
            (16, 3),
            "avg_pool.kernel_size: 6 does not fit an input of length 3 with 16 channels, "
            "length 5 with padding\n"
            "    use kernel_size <= 5, or add padding",
        ),
        (
            "max_pool: {kernel_size: 3, padding: 2}",
            (16, 8, 8),
            "max_pool.padding: 2 is more than half the kernel size, 3\n    use padding <= 1",
        ),
        (
            "avg_pool: {kernel_size: [2, 5], padding: 2}",
            (16, 8, 8),
            "avg_pool.padding: 2 is more than half the kernel size, [2, 5]\n"
            "    use padding <= [1, 2]",
        ),
        (
            "adaptive_avg_pool: [2, 2]",
            (16, 8),
            "adaptive_avg_pool.output_size: [2, 2] has 2 sizes, but a signal has one dimension\n"
            "    use one number",
        ),
        (
            "global_avg_pool",
            (16,),
            "global_avg_pool: global_avg_pool needs an image or a signal, "
            "but gets a vector of 16\n"
            "    put global_avg_pool before flatten, or add unflatten before it",
        ),
    ],
)
def test_what_does_not_fit_is_named_at_its_option(
    item: str, input: Shape, fault: str, faults_of: Callable[..., list[str]]
) -> None:
    assert faults_of(f"{{layers: [{item}]}}", input) == [f"model.layers.0.{fault}"]
