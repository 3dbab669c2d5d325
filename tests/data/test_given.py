"""Samples that are given as objects are those of the files that hold the same."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from cnnctl.data.dataset import DataSet
from cnnctl.data.given import given_inputs, named_or_given_inputs
from cnnctl.data.pictures import reading
from cnnctl.data.sources.cifar import Cifar10
from cnnctl.data.sources.diabetes import Diabetes
from cnnctl.data.sources.digits import Digits
from cnnctl.data.sources.signals import SignalSet
from cnnctl.data.sources.table import TableSet
from cnnctl.errors import FaultError
from tests.data.conftest import shortest

GREY, COLOUR = Digits(size=(8, 8)), Cifar10()
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
PHOTO = np.random.default_rng(1).integers(0, 256, (48, 32, 3), dtype=np.uint8)
TABLE = TableSet.read(
    {
        **shortest("table"),
        "columns": {
            "length": {"name": "number", "mean": 1.0, "std": 2.0, "missing": True},
            "colour": {"name": "category", "values": ["blue", "red"]},
            "seen": {"name": "date", "mean": 0.0, "std": 1.0},
            "note": {"name": "ignored"},
        },
    }
)
SIGNALS = SignalSet.read(shortest("signals"))


def stored(given: object, data: DataSet) -> Tensor:
    return torch.stack([each.read() for each in given_inputs(given, data)])


def fault(given: object, data: DataSet) -> str:
    [own] = given_inputs(given, data)
    with pytest.raises(FaultError) as caught:
        own.read()
    return str(caught.value)


def file_of(pixels: np.ndarray[Any, Any]) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


@pytest.mark.parametrize(
    "given",
    [
        PIXELS,
        PIXELS.astype(np.int64),
        PIXELS[..., None],
        PIXELS.tolist(),
        torch.from_numpy(PIXELS),
        Image.fromarray(PIXELS),
        file_of(PIXELS),
        memoryview(file_of(PIXELS)),
        np.stack([PIXELS, PIXELS, PIXELS], axis=-1),
        np.stack([PIXELS, PIXELS, PIXELS, np.full((8, 8), 255)], axis=-1),
    ],
    ids=lambda given: type(given).__name__,
)
def test_a_picture_of_the_right_size_has_the_same_bytes_in_every_form(given: object) -> None:
    assert torch.equal(stored(given, GREY), torch.from_numpy(PIXELS)[None, None])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_floating_point_pixels_stay_as_they_are(dtype: torch.dtype) -> None:
    given = (torch.from_numpy(PIXELS) / 255).to(dtype).requires_grad_()
    found = stored(given, GREY)
    assert found.dtype == torch.float32
    assert torch.equal(found, given.detach().float()[None, None])


@pytest.mark.parametrize(
    "given",
    [
        PHOTO,
        PHOTO.transpose(2, 0, 1),
        PHOTO / 255,
        torch.from_numpy(PHOTO).permute(2, 0, 1),
        Image.fromarray(PHOTO),
        PHOTO.tolist(),
        np.concatenate([PHOTO, np.full((48, 32, 1), 255, np.uint8)], axis=2),
    ],
    ids=lambda given: type(given).__name__,
)
def test_a_picture_of_another_size_is_resized_as_its_file_is(given: object) -> None:
    assert torch.equal(stored(given, COLOUR), stored(file_of(PHOTO), COLOUR))


def test_grey_and_transparent_pictures_become_what_the_network_takes() -> None:
    grey = np.random.default_rng(2).integers(0, 256, (32, 32), dtype=np.uint8)
    three = torch.from_numpy(np.stack([grey] * 3))[None]
    assert torch.equal(stored(grey, COLOUR), three)
    assert torch.equal(stored(grey[None] / 255, COLOUR), three)
    clear = np.zeros((32, 32, 4), np.uint8)
    assert (stored(clear, COLOUR) == 255).all()  # on white
    deep = np.full((32, 32), 65535, np.uint16)
    assert (stored(deep, COLOUR) == 255).all()


def test_lists_and_batches_are_in_their_order_whatever_they_hold() -> None:
    light = np.full((8, 8), 200, np.uint8)
    mixed = [PIXELS, file_of(light), [Image.fromarray(PIXELS)], torch.from_numpy(light)]
    inputs = list(given_inputs(mixed, GREY))
    assert [each.name for each in inputs] == [
        "inputs[0]",
        "inputs[1]",
        "inputs[2][0]",
        "inputs[3]",
    ]
    expected = torch.from_numpy(np.stack([PIXELS, light, PIXELS, light]))[:, None]
    assert torch.equal(stored(mixed, GREY), expected)
    assert torch.equal(stored(np.stack([PIXELS, light, PIXELS, light]), GREY), expected)
    assert torch.equal(stored((each for each in mixed), GREY), expected)
    objects = np.array([None, None], dtype=object)
    objects[:] = [Image.fromarray(PIXELS), file_of(light)]
    assert torch.equal(stored(objects, GREY), expected[:2])
    assert list(given_inputs([], GREY)) == list(given_inputs(np.empty((0, 8, 8)), GREY)) == []


def test_one_that_cannot_be_read_leaves_the_others() -> None:
    first, second, third = given_inputs([PIXELS, b"no picture", PIXELS], GREY)
    assert torch.equal(first.read(), third.read())
    with pytest.raises(FaultError, match=r"inputs\[1\]: is not a picture"):
        second.read()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (PIXELS.astype(np.float32), "pixels of float32 up to 248, not from 0 to 1"),
        (PHOTO.astype(np.float32), "pixels of float32 from 0 to 255, not from 0 to 1"),
        (PHOTO / 255 - 0.5, "not from 0 to 1"),
        (np.full((9, 9), np.nan), "from nan to nan"),
        (np.full((8, 8), np.nan), "not finite"),
        (np.full((8, 8), 300), "from 300 to 300, not from 0 to 255"),
        (np.zeros((2, 2, 2, 2, 2)), r"an array of the shape (2, 2, 2, 2, 2)"),
        (np.zeros(64), "an array of the shape (64,)"),
        (np.zeros((0, 3)), "an array of the shape (0, 3)"),
        (np.zeros((8, 8), complex), "is of dtype complex128"),
        (np.array([["a"]]), "an array of <U1, which are no pixels"),
        (np.zeros((9000, 9000), np.uint8), "has 9,000x9,000 pixels, more than 80,000,000"),
        (b"", "is empty"),
        ("digits/7.png", "inputs: a text is no sample"),
        (Path("digits"), "inputs: a text is no sample"),
        ({"length": 3}, "the network takes pictures, not rows"),
        (None, "NoneType is no sample"),
        (3.5, "an array of the shape ()"),
        ([None], "inputs[0]: NoneType is no sample"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_what_is_no_picture_is_refused(given: object, message: str) -> None:
    assert message in fault(given, GREY)


def test_a_list_that_holds_itself_ends() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert "nested more than 8 deep" in fault(endless, GREY)


def test_the_bytes_of_a_picture_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 100)
    assert "bytes, more than 100" in fault(file_of(PHOTO), COLOUR)


def test_vectors_are_given_as_numbers() -> None:
    row = list(range(10))
    expected = torch.arange(10, dtype=torch.float32)[None]
    for given in (row, tuple(row), np.arange(10), torch.arange(10), [row]):
        assert torch.equal(stored(given, Diabetes()), expected)
    assert len(stored([row, row], Diabetes())) == 2
    assert "has the shape (2, 3), not (N, 10)" in fault([[1, 2, 3], [4, 5, 6]], Diabetes())
    assert "the network takes samples of 10 features, which are not pictures" in fault(
        file_of(PIXELS), Diabetes()
    )
    assert "not the rows of a table" in fault({"age": 3}, Diabetes())


def test_a_path_is_read_where_paths_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "größe 7.png"
    file.write_bytes(file_of(PIXELS))
    for given in (file, str(file), [file], tmp_path):
        [each] = named_or_given_inputs(given, GREY)
        assert torch.equal(each.read(), torch.from_numpy(PIXELS)[None])
    [missing] = named_or_given_inputs(tmp_path / "größe 8.png", GREY)
    with pytest.raises(FaultError, match=r"did you mean .*größe 7.png"):
        missing.read()


ROWS: list[dict[str, object]] = [
    {"length": 3.25, "colour": " red ", "seen": "2024-05-01", "note": None, "more": 1},
    {"length": None, "colour": "green", "seen": date(1970, 1, 1), "note": "x", "more": 2},
    {"length": np.float32(0.1), "colour": "", "seen": np.datetime64("2000-02-29"), "note": 1},
]
CSV = """\
note,length,colour,seen
,3.25,red,2024-05-01
x,,green,1970-01-01
1,0.10000000149011612,,2000-02-29
"""


def test_rows_are_encoded_as_those_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "new.csv"
    file.write_text(CSV)
    expected = torch.stack([each.read() for each in named_or_given_inputs(file, TABLE)])
    assert torch.equal(stored(ROWS, TABLE), expected)
    for row, own in zip(ROWS, expected, strict=True):
        assert torch.equal(stored(row, TABLE), own[None])
        assert torch.equal(stored([[row]], TABLE), own[None])
    assert [each.name for each in given_inputs(ROWS, TABLE)] == [
        f"inputs: row {number}" for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_rows_of_data_frames_are_encoded_as_those_of_a_file(library: str) -> None:
    frame = pytest.importorskip(library).DataFrame(
        {
            "colour": ["red", None, "blue"],
            "length": [1.5, None, 3.0],
            "seen": [date(2024, 5, 1), date(1970, 1, 1), date(2000, 2, 29)],
        }
    )
    rows = [
        {"length": "1.5", "colour": "red", "seen": "2024-05-01"},
        {"length": "", "colour": "", "seen": "1970-01-01"},
        {"length": "3.0", "colour": "blue", "seen": "2000-02-29"},
    ]
    assert torch.equal(stored(frame, TABLE), stored(rows, TABLE))


def test_a_row_of_a_data_frame_is_one_sample() -> None:
    frame = pytest.importorskip("pandas").DataFrame(ROWS)
    assert torch.equal(stored(frame.iloc[1], TABLE), stored(ROWS[1], TABLE))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"length": 1, "colour": "red"}, "inputs: has no column seen"),
        ([ROWS[0], {"length": 1, "seen": ""}], "inputs: row 2: has no column colour, as other"),
        ([ROWS[0], {**ROWS[0], "length": "long"}], "row 2: column length: long is not a number"),
        ({**ROWS[0], "length": [1, 2]}, "row 1: column length: list is no value of a cell"),
        ({**ROWS[0], "note": "x" * 10_001}, "a cell of 10,001 characters"),
        ({}, "has no cells"),
        ({str(at): at for at in range(10_001)}, "has 10,001 columns"),
        (["red"], "inputs[0]: a text is no sample"),
        ([1.0, 2.0], "has the shape (2,)"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_what_is_no_row_is_refused(given: object, message: str) -> None:
    assert message in fault(given, TABLE)


def test_a_fraction_or_decimal_is_no_surprise() -> None:
    assert "Fraction is no value of a cell" in fault({**ROWS[0], "length": Fraction(1, 3)}, TABLE)


def test_signals_of_other_lengths_are_cut_or_padded() -> None:
    data = SIGNALS.model_copy(update={"channels": ["x", "y"]})
    short = np.arange(10.0).reshape(2, 5)
    found = stored([short, short.tolist(), np.ones((2, 12))], data)
    assert found.shape == (3, 2, 9)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0, :, :5], torch.from_numpy(short).float())
