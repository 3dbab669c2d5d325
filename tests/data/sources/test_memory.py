from pathlib import Path

import numpy as np
import pytest
import torch

from cnnctl.data.dataset import DataSet
from cnnctl.data.image_set import resized
from cnnctl.data.preparation import prepare
from cnnctl.data.samples import Samples
from cnnctl.data.sources.memory import Memory
from cnnctl.data.tables.reading import read_table
from cnnctl.errors import FaultError


def test_statistics_are_those_of_the_training_split_alone() -> None:
    inputs = torch.from_numpy(np.random.RandomState(0).normal(5, 3, (40, 2))).float()
    form = Memory(shape=[2], task="regression", samples=40, validation=0.25)
    prepared = prepare(form.holding(Samples(inputs, inputs[:, :1])), seed=0)
    train, validation = prepared.splits.train, prepared.splits.validation
    assert (len(train), len(validation), len(prepared.splits.test)) == (30, 10, 0)
    normalize = prepared.data.normalize
    assert normalize is not None and normalize != "auto"
    expected = inputs[train.positions].double()
    np.testing.assert_allclose(normalize.mean, expected.mean(dim=0))
    np.testing.assert_allclose(normalize.std, expected.std(dim=0, correction=0))


def test_samples_are_no_part_of_what_is_written() -> None:
    form = Memory(shape=[2], classes=["a", "b"], samples=4)
    held = form.holding(Samples(torch.zeros(4, 2), torch.tensor([0, 1, 0, 1])))
    assert held.written() == form.written()
    assert DataSet.read(held.written()) == form


def test_a_file_cannot_name_it() -> None:
    with pytest.raises(FaultError, match=r"for arrays given in Python.*\n    use arrays"):
        DataSet.read("memory").describe()


def test_pixels_are_those_that_have_a_white() -> None:
    assert Memory(shape=[1, 8, 8], white=255.0).has_pixels
    assert Memory(shape=[1, 8, 8], white=255.0).picture_form() is not None
    assert not Memory(shape=[1, 8, 8]).has_pixels
    assert Memory(shape=[1, 8, 8]).picture_form() is None
    assert not Memory(shape=[64], white=255.0).has_pixels


def test_pictures_are_resized_and_nothing_else() -> None:
    images = torch.arange(128, dtype=torch.uint8).view(2, 1, 8, 8)
    form = Memory(shape=[1, 8, 8], size=4, classes=["a", "b"], samples=2)
    held = form.holding(Samples(images, torch.tensor([0, 1])))
    assert held.whole().shape == (1, 4, 4)
    loaded = held.load("train", root=Path("nowhere")).inputs
    assert isinstance(loaded, torch.Tensor)
    assert torch.equal(loaded, resized(images, (4, 4)))
    with pytest.raises(FaultError, match="only pictures are resized") as error:
        Memory(shape=[4], size=4, samples=2).whole()
    assert error.value.faults[0].path == ("size",)


NAMED = Memory(shape=[2], names=["width", "height"], classes=["a", "b"], samples=4)


def test_rows_of_tables_are_features_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("height,other,width\n1.5,x,2\n3,y,4\n")
    assert NAMED.encoded(read_table(file)).tolist() == [[2, 1.5], [4, 3]]


def test_cells_that_are_no_numbers_are_faults_at_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("height,width\n1.5,\nlow,4\n")
    with pytest.raises(FaultError) as error:
        NAMED.encoded(read_table(file))
    said = str(error.value)
    assert "x.csv:2: column width: a number is missing\n    fill it in" in said
    assert "x.csv:3: column height: low is not a number" in said


def test_vectors_without_names_are_not_in_tables(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("height,width\n1.5,2\n")
    with pytest.raises(FaultError, match=r"not the rows of a table\n    give an array"):
        Memory(shape=[2], samples=4).encoded(read_table(file))
