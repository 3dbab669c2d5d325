"""Adaptive max pooling as maxima of slices."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnctl.export.onnx.pooling import MaxOfSlices, without_adaptive_max_pools


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 13])
def test_windows_are_torchs_whether_the_size_divides_or_not(size: int) -> None:
    signals, pictures = torch.randn(2, 3, 11), torch.randn(2, 3, 11, 6)
    assert torch.equal(MaxOfSlices([size])(signals), nn.AdaptiveMaxPool1d(size)(signals))
    expected = nn.AdaptiveMaxPool2d((size, 4))(pictures)
    assert torch.equal(MaxOfSlices([size, 4])(pictures), expected)


def test_only_a_network_with_such_pools_is_copied() -> None:
    plain = nn.Sequential(nn.ReLU())
    assert without_adaptive_max_pools(plain) is plain
    pooled = nn.Sequential(nn.Sequential(nn.AdaptiveMaxPool2d(3)), nn.AdaptiveMaxPool2d((2, 1)))
    pictures = torch.randn(2, 3, 8, 7)
    copy = without_adaptive_max_pools(pooled)
    assert not any(isinstance(part, nn.AdaptiveMaxPool2d) for part in copy.modules())
    assert torch.equal(copy(pictures), pooled(pictures))
    assert isinstance(pooled[1], nn.AdaptiveMaxPool2d)
    assert isinstance(without_adaptive_max_pools(nn.AdaptiveMaxPool1d(3)), MaxOfSlices)
