from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor, nn

from cnnctl.inspection import gather
from cnnctl.model.layer import Shape
from cnnctl.model.network import build

CASES: list[tuple[Any, Shape, nn.Module]] = [
    ({"conv": 4}, (2, 9, 9), nn.Conv2d(2, 4, 3)),
    ({"conv": {"out_channels": 4, "kernel_size": [1, 3]}}, (2, 9, 8), nn.Conv2d(2, 4, (1, 3))),
    (
        {"conv": {"out_channels": 4, "stride": 2, "padding": [1, 2], "dilation": 2}},
        (2, 9, 9),
        nn.Conv2d(2, 4, 3, stride=2, padding=(1, 2), dilation=2),
    ),
    (
        {"conv": {"out_channels": 4, "groups": 2, "bias": False, "padding": "same"}},
        (2, 9, 9),
        nn.Conv2d(2, 4, 3, groups=2, bias=False, padding="same"),
    ),
    (
        {"conv": {"out_channels": 4, "padding": "same", "kernel_size": 4, "dilation": 6}},
        (2, 3, 3),
        nn.Conv2d(2, 4, 4, padding="same", dilation=6),
    ),
    ({"conv": {"out_channels": 4, "padding": "valid"}}, (2, 9, 9), nn.Conv2d(2, 4, 3)),
    *(
        (
            {"conv": {"out_channels": 4, "padding": [1, 2], "padding_mode": mode}},
            (2, 3, 9),
            nn.Conv2d(2, 4, 3, padding=(1, 2), padding_mode=mode),
        )
        for mode in ("zeros", "reflect", "replicate", "circular")
    ),
    ({"conv": 4}, (2, 9), nn.Conv1d(2, 4, 3)),
    ({"conv_transpose": 4}, (2, 5, 6), nn.ConvTranspose2d(2, 4, 3)),
    (
        {"conv_transpose": {"out_channels": 4, "kernel_size": [4, 2], "stride": 2, "padding": 1}},
        (2, 5, 6),
        nn.ConvTranspose2d(2, 4, (4, 2), stride=2, padding=1),
    ),
    (
        {"conv_transpose": {"out_channels": 4, "stride": [3, 2], "output_padding": [2, 1]}},
        (2, 5, 6),
        nn.ConvTranspose2d(2, 4, 3, stride=(3, 2), output_padding=(2, 1)),
    ),
    (
        {"conv_transpose": {"out_channels": 4, "groups": 2, "dilation": 2, "bias": False}},
        (2, 9),
        nn.ConvTranspose1d(2, 4, 3, groups=2, dilation=2, bias=False),
    ),
    (
        {"conv": {"out_channels": 4, "kernel_size": 5, "stride": 3, "padding": 2, "groups": 2}},
        (2, 9),
        nn.Conv1d(2, 4, 5, stride=3, padding=2, groups=2),
    ),
]


@pytest.mark.parametrize(("item", "input", "expected"), CASES, ids=str)
def test_a_convolution_is_torchs_own(
    item: Any, input: Shape, expected: nn.Module, same: Callable[..., None]
) -> None:
    same(item, input, expected)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ("groups: 3", "groups: 3 does not divide the 4 input channels"),
        (
            "stride: 2, output_padding: 2",
            "output_padding: 2 is not smaller than stride or dilation\n    use output_padding <= 1",
        ),
        (
            "padding: 6",
            "padding: the output for 4 channels of 9x9 is empty\n    use less padding",
        ),
    ],
)
def test_a_transposed_convolution_that_does_not_fit_is_reported(
    options: str, fault: str, faults_of: Callable[..., list[str]]
) -> None:
    text = f"{{layers: [conv_transpose: {{out_channels: 6, {options}}}]}}"
    [found] = faults_of(text, (4, 9, 9))
    assert f"model.layers.0.conv_transpose.{fault}" in found


def test_a_transposed_convolution_starts_for_the_activation_behind_it(
    plan_of: Callable[..., Any],
) -> None:
    """He's normal numbers, over the fan that torch.nn.init finds in its weight."""
    layer = "conv_transpose: {out_channels: 32, kernel_size: 4, stride: 2, padding: 1}"
    plan = plan_of(f"{{layers: [{layer}, relu, flatten, linear: classes]}}", (64, 8, 8))
    weight = build(plan, seed=0).get_submodule("conv_transpose1").weight
    assert isinstance(weight, Tensor)
    fan, _ = nn.init._calculate_fan_in_and_fan_out(weight)
    assert weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.02)


@pytest.mark.parametrize(
    ("options", "size"),
    # two of four places of a kernel reach each output; three of five, or two; one each
    [("kernel_size: 4, stride: 2", 2), ("kernel_size: 5, stride: 2", 3), ("stride: 3", 1)],
)
def test_fields_of_transposed_convolutions_worked_by_hand(
    options: str, size: int, plan_of: Callable[..., Any]
) -> None:
    text = f"{{layers: [conv_transpose: {{out_channels: 2, {options}}}]}}"
    field = gather(plan_of(text, (1, 9, 9)), batch_size=1).rows[0].field
    assert field is not None
    assert field.size == (size, size)


def test_outputs_that_are_made_of_nothing_have_no_field(plan_of: Callable[..., Any]) -> None:
    text = "{layers: [conv_transpose: {out_channels: 2, kernel_size: 2, stride: 3}]}"
    assert gather(plan_of(text, (1, 9, 9)), batch_size=1).rows[0].field is None


@pytest.mark.parametrize(
    ("options", "side"),
    [("kernel_size: 5", 24), ("kernel_size: 3", 26), ("kernel_size: 3, stride: 2", 13)],
)
def test_output_sizes_worked_by_hand(options: str, side: int, plan_of: Callable[..., Any]) -> None:
    plan = plan_of(f"{{layers: [conv: {{out_channels: 6, {options}}}]}}", (1, 28, 28))
    assert plan.output == (6, side, side)


def test_the_same_padding_keeps_the_size(plan_of: Callable[..., Any]) -> None:
    for kernel in (1, 5, 9):
        text = f"{{layers: [conv: {{out_channels: 1, kernel_size: {kernel}, padding: same}}]}}"
        assert plan_of(text, (1, 4, 6)).output == (1, 4, 6)


@pytest.mark.parametrize(
    ("options", "input", "fault"),
    [
        (
            "kernel_size: 5",
            (16, 3, 3),
            "kernel_size: 5 does not fit an input of 3x3 with 16 channels\n"
            "    use kernel_size <= 3, or add padding",
        ),
        (
            "kernel_size: 8, padding: 2",
            (1, 3, 9),
            "kernel_size: 8 does not fit an input of 3x9 with 1 channel, 7x13 with padding\n"
            "    use kernel_size <= 7, or add padding",
        ),
        (
            "kernel_size: [2, 5], dilation: 2",
            (2, 4, 8),
            "kernel_size: [2, 5] with dilation 2 does not fit an input of 4x8 with 2 channels\n"
            "    use kernel_size <= [2, 4], or add padding",
        ),
        (
            "kernel_size: 5",
            (2, 4),
            "kernel_size: 5 does not fit an input of length 4 with 2 channels\n"
            "    use kernel_size <= 4, or add padding",
        ),
        (
            "stride: [2, 2]",
            (2, 4),
            "stride: [2, 2] has 2 sizes, but a signal has one dimension\n    use one number",
        ),
        (
            "groups: 2",
            (3, 8, 8),
            "groups: 2 does not divide the 3 input channels\n    use a common divisor of 3 and 4",
        ),
        (
            "groups: 3",
            (3, 8, 8),
            "groups: 3 does not divide the 4 output channels\n    use a common divisor of 3 and 4",
        ),
        (
            "padding: same, stride: 2",
            (3, 8, 8),
            "padding: same needs a stride of 1\n    use a number of pixels",
        ),
        (
            "padding: 3, padding_mode: reflect",
            (3, 3, 8),
            "padding: reflect cannot add 3 pixels to 3 channels of 3x8\n"
            "    use padding <= 2, or padding_mode: zeros",
        ),
        (
            "padding: 4, padding_mode: circular",
            (3, 3, 8),
            "padding: circular cannot add 4 pixels to 3 channels of 3x8\n"
            "    use padding <= 3, or padding_mode: zeros",
        ),
    ],
)
def test_what_does_not_fit_is_named_at_its_option(
    options: str, input: Shape, fault: str, faults_of: Callable[..., list[str]]
) -> None:
    text = f"{{layers: [conv: {{out_channels: 4, {options}}}]}}"
    assert faults_of(text, input) == [f"model.layers.0.conv.{fault}"]


def test_a_vector_has_no_pixels(faults_of: Callable[..., list[str]]) -> None:
    assert faults_of("{layers: [flatten, conv: 4]}", (1, 8, 8)) == [
        "model.layers.1.conv: conv needs an image or a signal, "
        "but gets a vector of 64\n"
        "    put conv before flatten, or add unflatten before it"
    ]


@pytest.mark.parametrize("size", ["0", "-1", "true", "'3'", "[3]", "[3, 3, 3]", "2.0", "{a: 1}"])
def test_a_size_that_is_none_is_refused(size: str, faults_of: Callable[..., list[str]]) -> None:
    (fault,) = faults_of(f"{{layers: [conv: {{out_channels: 4, kernel_size: {size}}}]}}")
    assert fault.startswith("model.layers.0.conv.kernel_size: ")
    assert "\n    write " in fault
