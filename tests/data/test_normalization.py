import numpy as np
import pytest
import torch
from pydantic import ValidationError

from cnnctl.data.normalization import Normalize, normalization_of
from cnnctl.errors import FaultError


def test_images_are_measured_by_channel_with_pixels_from_0_to_1() -> None:
    images = torch.randint(0, 256, (50, 3, 7, 5), dtype=torch.uint8)
    pixels = images.numpy() / 255
    measured = normalization_of([images])
    np.testing.assert_allclose(measured.mean, pixels.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(measured.std, pixels.std(axis=(0, 2, 3)), rtol=1e-12)


def test_vectors_are_measured_by_feature() -> None:
    vectors = torch.randn(200, 4) * torch.tensor([1.0, 10, 100, 1000]) + 5
    measured = normalization_of([vectors])
    np.testing.assert_allclose(measured.mean, vectors.double().numpy().mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(measured.std, vectors.double().numpy().std(axis=0), rtol=1e-9)


@pytest.mark.parametrize(
    "inputs",
    [torch.full((9, 1, 3, 3), 77, dtype=torch.uint8), torch.full((9, 1), 0.1)],
    ids=["image", "vector"],
)
def test_what_never_changes_is_divided_by_one(inputs: torch.Tensor) -> None:
    assert normalization_of([inputs]).std == [1.0]


def test_undo_gives_back_what_apply_took() -> None:
    values = torch.tensor([[25.0], [140.0], [346.0]])
    normalize = Normalize(mean=[152.0], std=[77.0])
    assert normalize.apply(values)[0].item() == pytest.approx((25 - 152) / 77)
    torch.testing.assert_close(normalize.undo(normalize.apply(values)), values)


def test_there_must_be_a_number_for_each_channel() -> None:
    with pytest.raises(FaultError, match="1 numbers, but 3 needed") as error:
        Normalize(mean=[0.5], std=[0.5]).check(3)
    assert error.value.faults[0].path == ("mean",)


@pytest.mark.parametrize("std", [0.0, -1.0, float("nan"), float("inf")])
def test_a_deviation_that_cannot_divide_is_refused(std: float) -> None:
    with pytest.raises(ValidationError):
        Normalize(mean=[0.0], std=[std])


def test_signals_are_measured_by_channel() -> None:
    signals = torch.randn(50, 2, 21) * torch.tensor([[3.0], [0.5]]) + torch.tensor([[7.0], [-1.0]])
    found = normalization_of([signals])
    expected = signals.double().permute(1, 0, 2).flatten(1)
    assert found.mean == pytest.approx(expected.mean(1).tolist())
    assert found.std == pytest.approx(expected.std(1, correction=0).tolist())
