"""How arrays become samples: axes by shape, numbers by dtype."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnnctl.data.arrays.form import ArrayForm, Layout, shape_of, white_of
from cnnctl.data.arrays.reading import open_arrays
from cnnctl.data.arrays.stored import StoredArray
from cnnctl.errors import FaultError


def stored(array: Any, folder: Path) -> StoredArray:
    np.save(folder / "x.npy", array)
    return open_arrays(folder / "x.npy")["x"]


def converted(form: ArrayForm, array: StoredArray) -> torch.Tensor:
    rows = form.rows(array)
    return rows.take(torch.arange(len(rows)))


@pytest.mark.parametrize(
    ("shape", "layout", "sample"),
    [
        ((9,), "auto", (1,)),
        ((9, 5), "auto", (5,)),
        ((9, 28, 28), "auto", (1, 28, 28)),
        ((9, 5, 7), "auto", (1, 5, 7)),
        ((9, 3, 100), "auto", (3, 100)),
        ((9, 128, 9), "auto", (9, 128)),  # the layout of Keras' recurrent layers
        ((9, 28, 28), "channels_first", (28, 28)),
        ((9, 20, 28), "channels_last", (28, 20)),
        ((9, 3, 32, 32), "auto", (3, 32, 32)),
        ((9, 32, 32, 3), "auto", (3, 32, 32)),
        ((9, 8, 8, 1), "auto", (1, 8, 8)),
        ((9, 64, 64, 13), "auto", (13, 64, 64)),
        ((9, 13, 64, 64), "auto", (13, 64, 64)),
        ((9, 3, 5, 3), "channels_last", (3, 3, 5)),
    ],
)
def test_the_shape_of_samples_follows_from_that_of_the_array(
    shape: tuple[int, ...], layout: Any, sample: tuple[int, ...], tmp_path: Path
) -> None:
    assert shape_of(stored(np.zeros(shape), tmp_path), layout)[0] == sample


@pytest.mark.parametrize("shape", [(9, 3, 5, 3), (9, 5, 6, 7), (9, 8, 8, 8)])
def test_a_layout_that_cannot_be_told_is_asked_for(shape: Any, tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="any side of which may be the channels") as error:
        shape_of(stored(np.zeros(shape), tmp_path), "auto")
    assert "data.layout" in error.value.faults[0].hint


@pytest.mark.parametrize("shape", [(), (0, 5), (9, 0), (2, 2, 2, 2, 2)])
def test_arrays_of_other_dimensions_are_no_samples(shape: Any, tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="which does not fit samples"):
        shape_of(stored(np.zeros(shape), tmp_path), "auto")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_both_layouts_give_the_same_samples(layout: Any, order: Any, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 6, 7)).astype(np.uint8)
    form = ArrayForm((3, 6, 7), layout)
    for array in (images, images.transpose(0, 2, 3, 1)):
        found = converted(form, stored(np.array(array, order=order), tmp_path))
        np.testing.assert_array_equal(found.numpy(), images)


def test_a_cube_is_read_by_its_layout(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((5, 4, 4, 4), np.float32)
    arrays: dict[Layout, Any] = {
        "channels_first": images,
        "channels_last": images.transpose(0, 3, 1, 2),
    }
    for layout, expected in arrays.items():
        form = ArrayForm((4, 4, 4), layout)
        np.testing.assert_array_equal(converted(form, stored(images, tmp_path)).numpy(), expected)


@pytest.mark.parametrize(
    ("dtype", "high", "white", "factor", "expected"),
    [
        ("u1", 255, 255.0, 1, torch.uint8),
        ("i8", 255, 255.0, 1, torch.uint8),
        (">i4", 200, 255.0, 1, torch.uint8),
        ("u2", 65535, 65535.0, 65535, torch.float32),
        ("f4", 1, 1.0, 1, torch.float32),
        (">f8", 1, 1.0, 1, torch.float32),
        ("f8", 255, 255.0, 255, torch.float32),
        ("f2", 200, 255.0, 255, torch.float32),
        ("i2", 1000, None, 1, torch.float32),
        ("f4", 300, None, 1, torch.float32),
        ("?", 1, 1.0, 1, torch.float32),
    ],
)
def test_pixels_are_scaled_by_what_stands_for_white(
    dtype: str, high: int, white: float | None, factor: int, expected: torch.dtype, tmp_path: Path
) -> None:
    images = np.linspace(0, high, 96).reshape(2, 1, 6, 8).astype(dtype)
    array = stored(images, tmp_path)
    plain = ArrayForm((1, 6, 8), white=None)
    assert white_of(array, lambda: plain.rows(array)) == white
    found = converted(ArrayForm((1, 6, 8), white=white), array)
    assert found.dtype == expected
    np.testing.assert_allclose(found.numpy(), images.astype(np.float64) / factor, rtol=1e-6)


def test_negative_numbers_are_no_pixels(tmp_path: Path) -> None:
    array = stored(np.linspace(-1, 1, 48).reshape(1, 1, 6, 8), tmp_path)
    form = ArrayForm((1, 6, 8), white=None)
    assert white_of(array, lambda: form.rows(array)) is None


@pytest.mark.parametrize("dtype", ["u1", "i8", "?", "f2", ">f8", "u2"])
def test_vectors_and_signals_become_float32_as_they_are(dtype: str, tmp_path: Path) -> None:
    for shape in ((4, 3), (4, 3, 9)):
        numbers = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
        found = converted(ArrayForm(shape[1:], white=255), stored(numbers, tmp_path))
        assert found.dtype == torch.float32
        np.testing.assert_array_equal(found.numpy(), numbers.astype(np.float32))


def test_one_sample_is_told_from_several(tmp_path: Path) -> None:
    form = ArrayForm((1, 6, 8))
    for shape in ((6, 8), (1, 6, 8), (6, 8, 1)):
        single = form.single(stored(np.ones(shape), tmp_path))
        assert single is not None
        assert single.shape == (1, 1, 6, 8)
    assert form.single(stored(np.ones((5, 6, 8)), tmp_path)) is None
    assert form.rows(stored(np.ones((5, 6, 8)), tmp_path)).shape == (5, 1, 6, 8)


@pytest.mark.parametrize(
    ("array", "white", "message"),
    [
        (np.zeros((2, 1, 5, 8)), 1, r"has the shape \(2, 1, 5, 8\), not \(N, 1, 6, 8\)"),
        (np.full((2, 1, 6, 8), "a"), 1, "holds texts, not numbers"),
        (np.full((2, 1, 6, 8), 256), 1, "pixels of int64 from 256 to 256, not from 0 to 255"),
        (np.full((2, 1, 6, 8), 0.5), 255, "pixels from 0 to 0.5, but white is 255"),
        (np.array(1.5), 1, r"has the shape \(\), not"),
    ],
)
def test_samples_of_another_form_are_refused(
    array: Any, white: float, message: str, tmp_path: Path
) -> None:
    with pytest.raises(FaultError, match=message) as error:
        converted(ArrayForm((1, 6, 8), white=white), stored(array, tmp_path))
    assert error.value.faults[0].hint
