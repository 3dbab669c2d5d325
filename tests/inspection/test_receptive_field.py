"""Fields, strides and sides of published networks, and of windows worked by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from cnnctl.inspection import Row, advice_on_field, gather
from cnnctl.model.network import NetworkPlan
from cnnctl.model.receptive_field import ReceptiveField

Architecture = Callable[..., NetworkPlan]

IMAGE = (3, 224, 224)


def window(kind: str, kernel: int, stride: int, padding: int) -> dict[str, Any]:
    options = {"kernel_size": kernel, "stride": stride, "padding": padding}
    return {kind: options | ({"out_channels": 2} if kind == "conv" else {})}


def facts(row: Row) -> tuple[int, float, float]:
    """Side of the output, stride and receptive field."""
    assert row.field is not None
    return row.output[1], row.field.stride[0], row.field.size[0]


def test_alexnet_has_the_published_fields(architecture: Architecture) -> None:
    layers = [
        window("conv", 11, 4, 0),
        window("max_pool", 3, 2, 0),
        window("conv", 5, 1, 2),
        window("max_pool", 3, 2, 0),
        window("conv", 3, 1, 1),
        window("conv", 3, 1, 1),
        window("conv", 3, 1, 1),
        window("max_pool", 3, 2, 0),
    ]
    rows = gather(architecture(*layers, input=IMAGE), batch_size=1).rows
    assert list(map(facts, rows)) == [
        (54, 4, 11),
        (26, 8, 19),
        (26, 8, 51),
        (12, 16, 67),
        (12, 16, 99),
        (12, 16, 131),
        (12, 16, 163),
        (5, 32, 195),
    ]


def test_vgg16_has_the_published_fields(architecture: Architecture) -> None:
    layers: list[Any] = []
    for convolutions in (2, 2, 3, 3, 3):
        layers += [step for _ in range(convolutions) for step in (window("conv", 3, 1, 1), "relu")]
        layers += [window("max_pool", 2, 2, 0)]
    rows = gather(architecture(*layers, input=IMAGE), batch_size=1).rows
    pools = [facts(row) for row in rows if row.kind == "max_pool"]
    assert pools == [(112, 2, 6), (56, 4, 16), (28, 8, 44), (14, 16, 100), (7, 32, 212)]
    last_conv = [row for row in rows if row.kind == "conv"][-1]
    assert facts(last_conv) == (14, 16, 196)


def test_zf5_has_the_published_fields(architecture: Architecture) -> None:
    layers = [
        window("conv", 7, 2, 3),
        window("max_pool", 3, 2, 1),
        window("conv", 5, 2, 2),
        window("max_pool", 3, 2, 1),
        window("conv", 3, 1, 1),
        window("conv", 3, 1, 1),
        window("conv", 3, 1, 1),
    ]
    rows = gather(architecture(*layers, input=IMAGE), batch_size=1).rows
    assert list(map(facts, rows)) == [
        (112, 2, 7),
        (56, 4, 11),
        (28, 8, 27),
        (14, 16, 43),
        (14, 16, 75),
        (14, 16, 107),
        (14, 16, 139),
    ]


def last_field(plan: NetworkPlan) -> ReceptiveField:
    field = gather(plan, batch_size=1).rows[-1].field
    assert field is not None
    return field


def test_each_side_has_its_own_field_and_stride(architecture: Architecture) -> None:
    conv = {"conv": {"out_channels": 2, "kernel_size": [5, 3], "stride": [2, 1]}}
    field = last_field(architecture(conv, conv, input=(1, 32, 32)))
    assert (field.size, field.stride) == ((13, 5), (4, 1))


def test_dilation_widens_the_field(architecture: Architecture) -> None:
    conv = {"conv": {"out_channels": 2, "dilation": 4}}
    assert last_field(architecture(conv, input=(1, 32, 32))).size == (9, 9)


def test_a_signal_has_one_side(architecture: Architecture) -> None:
    field = last_field(architecture({"conv": 4}, {"max_pool": 2}, input=(1, 64)))
    assert (field.size, field.stride) == ((4,), (2,))


@pytest.mark.parametrize(
    ("side", "bins", "size", "stride"),
    # 32 in bins of 4; 32 as one; 7 in 3 bins: 0 to 3, 2 to 5, 4 to 7
    [(32, 8, 4, 4), (32, 1, 32, 32), (7, 3, 3, 7 / 3)],
)
def test_adaptive_pooling_sees_its_bins(
    architecture: Architecture, side: int, bins: int, size: int, stride: float
) -> None:
    field = last_field(architecture({"adaptive_avg_pool": bins}, input=(1, side, side)))
    assert field.size[0] == size
    assert field.stride[0] == pytest.approx(stride)


def test_upsampling_brings_neighbours_closer(architecture: Architecture) -> None:
    layers = [{"max_pool": 2}, {"upsample": 2}, {"conv": 2}]
    field = last_field(architecture(*layers, input=(1, 32, 32)))
    assert (field.size, field.stride) == ((4, 4), (1, 1))


def test_padding_and_normalisation_leave_the_field(architecture: Architecture) -> None:
    layers = [{"zero_pad": 3}, "batch_norm", "relu", {"dropout": 0.1}]
    field = last_field(architecture(*layers, input=(1, 8, 8)))
    assert (field.size, field.stride) == ((1, 1), (1, 1))


@pytest.mark.parametrize("last", ["flatten", "global_avg_pool"])
def test_a_vector_has_no_field(architecture: Architecture, last: str) -> None:
    plans = [
        architecture({"conv": 2}, last, "relu", input=(1, 8, 8)),
        architecture({"linear": 2}, input=(8,)),
    ]
    assert [gather(plan, batch_size=1).rows[-1].field for plan in plans] == [None, None]


def test_a_last_convolution_that_sees_too_little_is_reported(architecture: Architecture) -> None:
    layers = [window("conv", 5, 2, 0), window("conv", 3, 1, 1), window("max_pool", 3, 3, 0)]
    plan = architecture(*layers, "flatten", {"linear": 2}, input=(3, 64, 48))
    advice = advice_on_field(gather(plan, batch_size=1))
    assert advice is not None
    assert advice.startswith("the last convolution, conv2, sees only 9x9 of 64x48 pixels; add ")


@pytest.mark.parametrize("side", [8, 9])
def test_a_last_convolution_that_sees_all_is_fine(architecture: Architecture, side: int) -> None:
    layers = [window("conv", 5, 2, 0), window("conv", 3, 1, 1)]
    assert (
        advice_on_field(gather(architecture(*layers, input=(3, side, side)), batch_size=1)) is None
    )


def test_a_projection_beside_the_last_convolution_is_not_the_last(
    architecture: Architecture,
) -> None:
    body = [window("conv", 5, 1, 2), window("conv", 5, 1, 2)]
    block = {"residual": {"layers": body, "shortcut": "projection"}}
    assert advice_on_field(gather(architecture(block, input=(2, 9, 9)), batch_size=1)) is None
    advice = advice_on_field(gather(architecture(block, input=(2, 10, 10)), batch_size=1))
    assert advice is not None
    assert "residual1.conv2, sees only 9x9 of 10x10" in advice


def test_there_is_no_advice_where_there_is_no_convolution_or_no_field(
    architecture: Architecture,
) -> None:
    bare = architecture("flatten", {"linear": 3}, input=(1, 8, 8))
    signal = architecture({"unflatten": [2, 9]}, {"conv": 3}, input=(18,))
    for plan in (bare, signal):
        assert advice_on_field(gather(plan, batch_size=1)) is None
