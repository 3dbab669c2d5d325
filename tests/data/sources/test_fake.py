"""Random samples of any shape."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from cnnctl.data.dataset import DataSet
from cnnctl.data.sources.fake import Fake
from tests.data.conftest import inputs_of


@pytest.mark.parametrize("shape", [[3, 10, 12], [2, 30], [7]])
def test_samples_have_the_shape_that_is_asked_for(shape: list[int]) -> None:
    data = Fake(shape=shape, classes=4, samples=50)
    for split, count in (("train", 50), ("test", 10)):
        samples = data.load(split, root=Path("none"))  # type: ignore[arg-type]
        assert list(samples.inputs.shape) == [count, *shape]
        assert samples.inputs.dtype == (torch.uint8 if len(shape) == 3 else torch.float32)
        counts = torch.bincount(samples.targets, minlength=4)
        assert counts.max() - counts.min() <= 1
    assert data.describe().shape == tuple(shape)


def test_samples_may_have_any_number_of_labels() -> None:
    data = Fake(shape=[7], classes=4, samples=50, multilabel=True)
    assert data.describe().targets[0].kind == "labels"
    targets = data.load("train", root=Path("none")).targets
    assert targets.shape == (50, 4)
    assert len(set(targets.sum(dim=1).tolist())) > 2
    one = Fake(shape=[7], classes=4, samples=50)
    assert torch.equal(*(inputs_of(each.load("train", root=Path("none"))) for each in (data, one)))


def test_they_are_the_same_every_time_and_others_in_each_split() -> None:
    data = Fake(shape=[5], samples=20)
    first, again, test = (
        inputs_of(data.load(split, root=Path("none"))) for split in ("train", "train", "test")
    )
    assert torch.equal(first, again)
    assert not torch.equal(first[: len(test)], test)


@pytest.mark.parametrize("shape", [[], [0], [1, 2, 3, 4], [3, -1, 4]])
def test_shapes_that_are_none_are_refused(shape: list[int]) -> None:
    with pytest.raises(ValidationError):
        DataSet.read({"name": "fake", "shape": shape})
