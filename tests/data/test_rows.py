from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cnnctl.data.conformity import conformed
from cnnctl.data.normalization import normalization_of
from cnnctl.data.rows import (
    JoinedRows,
    MappedRows,
    Rows,
    SelectedRows,
    TensorRows,
    in_memory,
)
from cnnctl.data.samples import DatasetInfo, Samples
from cnnctl.errors import ExitCode, FaultError


def both(tensor: Tensor, folder: Path) -> tuple[Rows, Rows]:
    return TensorRows(tensor), MappedRows.write(tensor, folder=folder)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.int32])
def test_both_kinds_keep_the_same_contract(dtype: torch.dtype, tmp_path: Path) -> None:
    tensor = torch.arange(7 * 6).view(7, 1, 2, 3).to(dtype)
    for rows in both(tensor, tmp_path):
        assert (len(rows), rows.shape, rows.dtype) == (7, (7, 1, 2, 3), dtype)
        positions = torch.tensor([5, 0, 5])
        assert torch.equal(rows.take(positions), tensor[positions])
        assert torch.equal(torch.cat(list(rows.chunks(positions))), tensor[positions])
        changed = rows.to(torch.float32).changed(lambda batch: batch.flatten(1) + 1)
        assert (changed.shape, changed.dtype) == ((7, 6), torch.float32)
        assert torch.equal(changed.take(positions), tensor[positions].flatten(1).float() + 1)
        rows.take(positions).fill_(0)
        assert torch.equal(rows.take(torch.arange(7)), tensor)


def test_rows_are_selected_and_joined_without_being_read(tmp_path: Path) -> None:
    tensor = torch.arange(9 * 2).view(9, 2)
    for rows in both(tensor, tmp_path):
        some = SelectedRows(rows, torch.tensor([8, 1, 4]))
        joined = JoinedRows([some, rows])
        expected = torch.cat([tensor[[8, 1, 4]], tensor])
        assert (joined.shape, joined.dtype) == (tuple(expected.shape), expected.dtype)
        positions = torch.tensor([11, 0, 3, 2, 2])
        assert torch.equal(joined.take(positions), expected[positions])
        assert torch.equal(in_memory(joined).tensor, expected)
    converted = MappedRows(np.arange(6.0).reshape(3, 2), lambda taken: torch.tensor(taken[:, :1]))
    assert converted.shape == (3, 1)
    assert converted.take(torch.tensor([2, 0])).tolist() == [[4.0], [0.0]]


def test_a_file_without_a_name_leaves_nothing_behind(tmp_path: Path) -> None:
    rows = MappedRows.write(torch.ones(3, 2), folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert rows.take(torch.tensor([2])).tolist() == [[1, 1]]


def test_a_file_of_numpy_is_mapped(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 1, 2, 2)
    np.save(tmp_path / "x.npy", array)
    rows = MappedRows.open(tmp_path / "x.npy")
    assert torch.equal(rows.take(torch.tensor([2, 0])), torch.from_numpy(array[[2, 0]]))


@pytest.mark.parametrize("spoil", ["missing", "short", "other", "objects", "texts", "folder"])
def test_a_file_that_cannot_be_mapped_is_a_data_fault(spoil: str, tmp_path: Path) -> None:
    file = tmp_path / "x.npy"
    if spoil == "folder":
        file.mkdir()
    elif spoil == "other":
        file.write_bytes(b"no array")
    elif spoil != "missing":
        array = {"objects": np.array([{}]), "texts": np.array(["a"])}.get(spoil, np.zeros((9, 9)))
        np.save(file, array, allow_pickle=True)
        if spoil == "short":
            file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(FaultError) as error:
        MappedRows.open(file)
    assert error.value.exit_code is ExitCode.DATA
    assert error.value.faults[0].hint


def test_mapped_numbers_are_checked_and_measured_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnctl.data.rows.CHUNK", 2**14)
    count = 2**14 // 4 + 1000
    values = torch.randn(count, 4) * 3 + torch.tensor([100.0, 0, 5, -7])
    resident, mapped = both(values, tmp_path)
    assert len(list(mapped.chunks())) == 2
    expected = values.double().numpy()
    for rows in (resident, mapped):
        measured = normalization_of(rows.chunks())
        np.testing.assert_allclose(measured.mean, expected.mean(axis=0), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(measured.std, expected.std(axis=0), rtol=1e-9)
    values[count - 3, 1] = torch.nan
    wrong = MappedRows.write(values, folder=tmp_path)
    with pytest.raises(FaultError, match=f"nan in sample {count - 3} "):
        conformed(
            Samples(wrong, torch.zeros(count).long()),
            DatasetInfo((4,), ("a", "b"), 2, count),
            what="x",
        )


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint16", "float64", "bool"])
def test_mapped_images_of_other_dtypes_are_converted_when_they_are_taken(
    dtype: str, tmp_path: Path
) -> None:
    images = (torch.arange(12).view(3, 1, 2, 2) % 2).to(getattr(torch, dtype))
    described = DatasetInfo((1, 2, 2), ("a", "b"), 2, 3)
    labels = torch.tensor([0, 1, 1])
    for rows in both(images, tmp_path):
        found = conformed(Samples(rows, labels), described, what="x").inputs
        is_whole = dtype.startswith(("int", "uint"))
        assert isinstance(found, Rows)
        assert found.dtype == (torch.uint8 if is_whole else torch.float32)
        assert torch.equal(found.take(torch.arange(3)).double(), images.double())
