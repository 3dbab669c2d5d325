"""Outputs over several views of an image are averaged as in airbench."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnctl.prediction.views import VIEWS, Viewed, views_of


def images(count: int = 5, height: int = 6, width: int = 7) -> Tensor:
    return torch.randn(count, 2, height, width, generator=torch.Generator().manual_seed(0))


def network(side: int = 42) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(2 * side, 4), nn.Tanh(), nn.Linear(4, 3))


def of_airbench(net: nn.Module, inputs: Tensor) -> Tensor:
    """`infer_mirror_translate` of airbench94.py, for images of any size."""

    def infer_mirror(inputs: Tensor) -> Tensor:
        outputs: Tensor = 0.5 * net(inputs) + 0.5 * net(inputs.flip(-1))
        return outputs

    height, width = inputs.shape[2:]
    padded = functional.pad(inputs, (1,) * 4, "reflect")
    translated = [
        infer_mirror(padded[:, :, 0:height, 0:width]),
        infer_mirror(padded[:, :, 2 : height + 2, 2 : width + 2]),
    ]
    return 0.5 * infer_mirror(inputs) + 0.5 * torch.stack(translated).mean(0)


def test_six_views_are_those_of_airbench() -> None:
    found = Viewed(network(), views=6)(images())
    assert torch.allclose(found, of_airbench(network(), images()), atol=1e-6)
    assert not torch.allclose(found, network()(images()), atol=1e-3)


def test_a_mirror_image_has_the_output_of_its_image() -> None:
    viewed = Viewed(network(), views=2)
    assert torch.allclose(viewed(images()), viewed(images().flip(3)), atol=1e-6)
    assert torch.allclose(
        viewed(images()), (network()(images()) + network()(images().flip(3))) / 2, atol=1e-6
    )


def test_shifts_are_by_a_pixel_with_reflected_borders() -> None:
    image = torch.arange(9.0).view(1, 1, 3, 3)
    (half, same), (quarter, down), (other, up) = views_of(image, 3)
    assert (half, quarter, other) == (0.5, 0.25, 0.25)
    assert torch.equal(same, image)
    assert down[0, 0].tolist() == [[4, 3, 4], [1, 0, 1], [4, 3, 4]]
    assert up[0, 0].tolist() == [[4, 5, 4], [7, 8, 7], [4, 5, 4]]


@pytest.mark.parametrize("views", VIEWS)
def test_there_are_so_many_views_with_weights_that_sum_to_one(views: int) -> None:
    found = list(views_of(images(), views))
    assert len(found) == views
    assert sum(weight for weight, _ in found) == 1
    assert len({tuple(view.flatten().tolist()) for _, view in found}) == views
    assert {view.shape for _, view in found} == {images().shape}
