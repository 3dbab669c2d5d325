from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cnnctl.model.layer import Layer, Shape

CASES: list[tuple[Any, Shape, nn.Module]] = [
    ("identity", (2, 3), nn.Identity()),
    ("flatten", (2, 3, 4), nn.Flatten()),
    ("flatten", (2,), nn.Flatten()),
    ({"flatten": {"start_dim": 2}}, (2, 3, 4), nn.Flatten(2)),
    ({"flatten": {"end_dim": -2}}, (2, 3, 4), nn.Flatten(1, -2)),
    ({"unflatten": [2, 3]}, (6,), nn.Unflatten(1, (2, 3))),
    ({"unflatten": [1, 2, 3]}, (6,), nn.Unflatten(1, (1, 2, 3))),
    ({"zero_pad": 2}, (2, 3, 4), nn.ZeroPad2d(2)),
    ({"zero_pad": [1, 2, 3, 4]}, (2, 3, 4), nn.ZeroPad2d((1, 2, 3, 4))),
    ({"zero_pad": [1, 2]}, (2, 3), nn.ZeroPad1d((1, 2))),
    ({"upsample": 2}, (2, 3, 4), nn.Upsample(scale_factor=2)),
    ({"upsample": [1.5, 2]}, (2, 3, 4), nn.Upsample(scale_factor=(1.5, 2))),
    ({"upsample": {"size": 7}}, (2, 3, 4), nn.Upsample(7)),
    ({"upsample": {"size": [7, 5]}}, (2, 3, 4), nn.Upsample((7, 5))),
    (
        {"upsample": {"size": 7, "mode": "bilinear", "align_corners": True}},
        (2, 3, 4),
        nn.Upsample(7, mode="bilinear", align_corners=True),
    ),
    (
        {"upsample": {"scale_factor": 2, "mode": "bicubic"}},
        (2, 3, 4),
        nn.Upsample(scale_factor=2, mode="bicubic"),
    ),
    (
        {"upsample": {"scale_factor": 2, "mode": "linear"}},
        (2, 3),
        nn.Upsample(scale_factor=2, mode="linear"),
    ),
    (
        {"upsample": {"scale_factor": 2, "mode": "nearest-exact"}},
        (2, 3),
        nn.Upsample(scale_factor=2, mode="nearest-exact"),
    ),
    ({"channel_shuffle": 3}, (6, 4, 5), nn.ChannelShuffle(3)),
    ({"channel_shuffle": 2}, (6, 4), nn.ChannelShuffle(2)),
]


@pytest.mark.parametrize(("item", "input", "expected"), CASES, ids=str)
def test_a_change_of_shape_is_torchs_own(
    item: Any, input: Shape, expected: nn.Module, same: Callable[..., None]
) -> None:
    same(item, input, expected)


@pytest.mark.parametrize(
    ("item", "input", "fault"),
    [
        (
            "flatten: {start_dim: 3}",
            (2, 3),
            "flatten: there are no dimensions 3 to -1 in 2 channels of 3\n"
            "    use flatten without options",
        ),
        (
            "unflatten: [2, 4]",
            (6,),
            "unflatten.unflattened_size: [2, 4] does not fit a vector of 6\n"
            "    choose sizes whose product is 6",
        ),
        (
            "zero_pad: [1, 2]",
            (2, 3, 4),
            "zero_pad.padding: 2 numbers do not fit 2 channels of 3x4\n"
            "    write one number, or [left, right, top, bottom]",
        ),
        (
            "zero_pad: [1, 2, 3]",
            (2, 3),
            "zero_pad.padding: 3 numbers do not fit 2 channels of 3\n"
            "    write one number, or [left, right]",
        ),
        (
            "upsample: {size: 3, mode: linear}",
            (2, 3, 4),
            "upsample.mode: linear does not fit 2 channels of 3x4\n"
            "    use nearest or bilinear or bicubic",
        ),
        (
            "upsample: {size: [3, 3]}",
            (2, 3),
            "upsample.size: [3, 3] has 2 sizes, but a signal has one dimension\n    use one number",
        ),
        (
            "upsample: 0.25",
            (2, 3, 4),
            "upsample.scale_factor: the output for 2 channels of 3x4 is empty\n"
            "    use a larger factor",
        ),
        (
            "permute: [1, 2]",
            (2, 3, 4),
            "permute.dims: [1, 2] does not reorder 2 channels of 3x4\n"
            "    name each of [1, 2, 3] once",
        ),
        (
            "permute: [2, 2]",
            (2, 3),
            "permute.dims: [2, 2] does not reorder 2 channels of 3\n    name each of [1, 2] once",
        ),
        (
            "permute: [1, 2]",
            (6,),
            "permute.dims: [1, 2] does not reorder a vector of 6\n    leave permute out",
        ),
        (
            "channel_shuffle: 4",
            (6, 3, 4),
            "channel_shuffle.groups: 4 does not divide 6 channels of 3x4\n    use a divisor of 6",
        ),
        (
            "chunk: {index: 1, chunks: 4}",
            (6,),
            "chunk.chunks: 4 does not divide a vector of 6\n    use a divisor of 6",
        ),
    ],
)
def test_what_does_not_fit_is_named_at_its_option(
    item: str, input: Shape, fault: str, faults_of: Callable[..., list[str]]
) -> None:
    assert faults_of(f"{{layers: [{item}]}}", input) == [f"model.layers.0.{fault}"]


@pytest.mark.parametrize("dims", [[2, 3, 1], [1, 2, 3], [3, 1, 2]], ids=str)
def test_dimensions_are_reordered_as_numpy_does(dims: list[int]) -> None:
    samples = torch.arange(48.0).reshape(2, 2, 3, 4)
    layer = Layer.read({"permute": dims})
    expected = samples.numpy().transpose([0, *dims])
    assert layer.build((2, 3, 4))(samples).tolist() == expected.tolist()
    assert layer.infer((2, 3, 4)) == expected.shape[1:]


@pytest.mark.parametrize("options", ["", ": {size: 3, scale_factor: 2}"])
def test_upsampling_takes_one_way_to_say_how_far(
    options: str, faults_of: Callable[..., list[str]]
) -> None:
    assert faults_of(f"{{layers: [upsample{options}]}}") == [
        "model.layers.0: upsample takes either size or scale_factor\n"
        "    write scale_factor: 2, or size: with the output size"
    ]


def test_corners_are_aligned_only_where_pixels_are_blended(
    faults_of: Callable[..., list[str]],
) -> None:
    assert faults_of("{layers: [upsample: {size: 3, align_corners: true}]}") == [
        "model.layers.0: align_corners has no effect with mode=nearest\n    leave it out"
    ]


@pytest.mark.parametrize("input", [(6,), (6, 4), (6, 4, 5)], ids=str)
def test_a_chunk_is_torchs_own(input: Shape) -> None:
    samples = torch.randn(2, *input)
    for index, expected in enumerate(samples.chunk(3, dim=1)):
        layer = Layer.read({"chunk": {"index": index, "chunks": 3}})
        assert torch.equal(layer.build(input)(samples), expected)
        assert layer.infer(input) == expected.shape[1:]


def test_a_part_that_is_not_there(faults_of: Callable[..., list[str]]) -> None:
    assert faults_of("{layers: [chunk: 2]}", (6,)) == [
        "model.layers.0: index 2 is out of range for 2 chunks\n    use index <= 1"
    ]
