"""Networks on signals (C, L): every layer is torch's one-dimensional one, and a TDNN is a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cnnctl.config.parsing import parse
from cnnctl.errors import FaultError
from cnnctl.experiment import complete
from cnnctl.inspection import gather
from cnnctl.model.network import NetworkPlan, build
from tests.model.conftest import assert_same

SIGNAL = (4, 21)
TDNN = """{layers: [
  conv: {out_channels: 8, kernel_size: 3}, sigmoid,
  conv: {out_channels: 3, kernel_size: 5}, sigmoid,
  global_avg_pool,
]}"""


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"conv": 6}, nn.Conv1d(4, 6, 3)),
        (
            {"conv": {"out_channels": 6, "kernel_size": 5, "stride": 2, "padding": 2}},
            nn.Conv1d(4, 6, 5, stride=2, padding=2),
        ),
        (
            {"conv": {"out_channels": 8, "dilation": 3, "groups": 4, "padding": "same"}},
            nn.Conv1d(4, 8, 3, dilation=3, groups=4, padding="same"),
        ),
        ({"max_pool": 3}, nn.MaxPool1d(3)),
        (
            {"max_pool": {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}},
            nn.MaxPool1d(3, 2, 1, ceil_mode=True),
        ),
        ({"avg_pool": {"kernel_size": 4, "stride": 2}}, nn.AvgPool1d(4, 2)),
        ({"adaptive_avg_pool": 5}, nn.AdaptiveAvgPool1d(5)),
        ({"adaptive_max_pool": 5}, nn.AdaptiveMaxPool1d(5)),
        ("batch_norm", nn.BatchNorm1d(4)),
        ("instance_norm", nn.InstanceNorm1d(4)),
        ({"group_norm": 2}, nn.GroupNorm(2, 4)),
        ("channel_dropout", nn.Dropout1d(0.5)),
        (
            {"conv": {"out_channels": 6, "padding": 1, "padding_mode": "circular", "bias": False}},
            nn.Conv1d(4, 6, 3, padding=1, padding_mode="circular", bias=False),
        ),
        (
            {"avg_pool": {"kernel_size": 3, "padding": 1, "count_include_pad": False}},
            nn.AvgPool1d(3, padding=1, count_include_pad=False),
        ),
        ("layer_norm", nn.LayerNorm(SIGNAL)),
        ("rms_norm", nn.RMSNorm(SIGNAL)),
        ({"local_response_norm": 3}, nn.LocalResponseNorm(3)),
        ("feature_alpha_dropout", nn.FeatureAlphaDropout(0.5)),
        ({"zero_pad": [1, 2]}, nn.ZeroPad1d((1, 2))),
    ],
)
def test_a_layer_on_a_signal_is_torchs_own(item: Any, expected: nn.Module) -> None:
    assert_same(item, SIGNAL, expected)


def test_global_pooling_leaves_a_number_for_each_channel(
    plan_of: Callable[..., NetworkPlan],
) -> None:
    for kind, reduced in (("global_avg_pool", torch.mean), ("global_max_pool", torch.amax)):
        network = build(plan_of(f"{{layers: [{kind}]}}", SIGNAL), seed=0)
        signals = torch.randn(3, *SIGNAL)
        torch.testing.assert_close(network(signals), reduced(signals, dim=2))


def test_the_tdnn_of_waibel_fits_its_frames(plan_of: Callable[..., NetworkPlan]) -> None:
    """16 coefficients over 15 frames: 8 units see 3 frames, 3 units see 5 of theirs."""
    plan = plan_of(TDNN, (16, 15), 3)
    assert [stage.output for stage in plan.layers] == [(8, 13), (8, 13), (3, 9), (3, 9), (3,)]
    summary = gather(plan, batch_size=1)
    assert summary.parameters == (16 * 3 + 1) * 8 + (8 * 5 + 1) * 3
    assert summary.multiply_adds == 16 * 3 * 8 * 13 + 8 * 5 * 3 * 9
    fields = [row.field.size for row in summary.rows if row.field]
    assert fields == [(3,), (3,), (7,), (7,)]


def test_blocks_take_signals_as_well(plan_of: Callable[..., NetworkPlan]) -> None:
    text = """{layers: [
      residual: [conv: {out_channels: 8, stride: 2, padding: 1}, batch_norm],
      branches: [[conv: {out_channels: 2, kernel_size: 1}],
                 [max_pool: {kernel_size: 3, stride: 1, padding: 1}]],
      dense: {layers: [conv: {out_channels: 3, padding: 1}], times: 2},
      global_avg_pool, linear: classes]}"""
    plan = plan_of(text, SIGNAL, 3)
    assert [stage.output for stage in plan.layers] == [(8, 11), (10, 11), (16, 11), (16,), (3,)]
    assert build(plan, seed=0)(torch.randn(2, *SIGNAL)).shape == (2, 3)


@pytest.mark.parametrize("item", ["horizontal_flip", "{crop: 2}", "{rotation: 5}", "cutmix"])
def test_augmentations_of_images_do_not_fit_signals(item: str) -> None:
    data = f"{{name: waveform, augment: [{item}]}}"
    text = f"data: {data}\nmodel: {{layers: [flatten, linear: classes]}}"
    with pytest.raises(FaultError) as raised:
        complete(parse(text, origin="x.yaml"), "x")
    (fault,) = raised.value.faults
    kind = item.strip("{").split(":")[0]
    assert fault.message == f"{kind} needs images, but the samples are signals of 1x21"
    assert fault.path == ("data", "augment", 0, kind)
    assert fault.hint == "leave it out"
