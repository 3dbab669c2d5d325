import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits

from cnnctl.data.dataset import DataSet
from cnnctl.data.samples import Samples
from cnnctl.data.sources import digits
from cnnctl.data.sources.diabetes import Diabetes
from cnnctl.data.sources.digits import Digits
from tests.data.conftest import inputs_of, shortest

NO_DATA = Path("there-is-no-such-folder")


def both(data: DataSet) -> list[Samples]:
    return [data.load("train", root=NO_DATA), data.load("test", root=NO_DATA)]


def test_digits_are_those_of_scikit_learn_each_once() -> None:
    train, test = both(Digits())
    assert (len(train), len(test)) == (1437, 360)
    ours = torch.cat([inputs_of(train), inputs_of(test)]).double().view(-1, 64) * 16 / 255
    theirs = load_digits().data
    assert sorted(map(tuple, ours.round().long().tolist())) == sorted(map(tuple, theirs.tolist()))


def test_digits_are_read_without_scikit_learn_and_as_it_reads_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "sklearn.datasets", None)
        read = digits._published()
    monkeypatch.setattr(digits, "find_spec", lambda name: None)
    for ours, theirs in zip(read, digits._published(), strict=True):
        assert np.array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def test_digits_count_pixels_from_0_to_255() -> None:
    train, _ = both(Digits())
    assert train.inputs.dtype == torch.uint8
    assert (int(inputs_of(train).min()), int(inputs_of(train).max())) == (0, 255)


def test_a_digit_keeps_its_label() -> None:
    train, _ = both(Digits())
    images, labels = load_digits(return_X_y=True)
    wanted = (inputs_of(train)[0].double().flatten() * 16 / 255).round()
    found = np.flatnonzero((images == wanted.numpy()).all(axis=1))
    assert labels[found].tolist() == [train.targets[0]]


def test_the_test_split_of_digits_holds_a_fifth_of_every_class() -> None:
    _, test = both(Digits())
    counts = np.bincount(load_digits().target)
    assert torch.bincount(test.targets).tolist() == pytest.approx(counts / 5, abs=1)


def test_the_test_splits_never_change() -> None:
    # sums as they were when the splits were made: with others, old results could not be compared
    _, digits = both(Digits())
    _, diabetes = both(Diabetes())
    assert (int(digits.targets.sum()), int(inputs_of(digits).long().sum())) == (1614, 1_802_509)
    assert int(diabetes.targets.sum()) == 12_871


def test_diabetes_is_what_was_measured_of_442_patients() -> None:
    train, test = both(Diabetes())
    assert (train.inputs.shape, test.inputs.shape) == ((354, 10), (88, 10))
    assert train.targets.shape == (354, 1)
    targets = torch.cat([train.targets, test.targets])
    # Efron et al. 2004: a mean of 152.13, from 25 to 346
    assert targets.mean().item() == pytest.approx(152.13, abs=0.005)
    assert (targets.min().item(), targets.max().item()) == (25, 346)
    ages = torch.cat([inputs_of(train), inputs_of(test)])[:, 0]
    assert sorted(ages.tolist()) == sorted(load_diabetes(scaled=False).data[:, 0].tolist())


@pytest.mark.long
def test_describing_imports_neither_scikit_learn_nor_torchvision() -> None:
    written = [shortest(kind) for kind in DataSet.kinds]
    code = (
        "import sys; from cnnctl.data import sources; from cnnctl.data.dataset import DataSet\n"
        f"for written in {written!r}: DataSet.read(written).describe()\n"
        "print([name for name in ('sklearn', 'torchvision', 'scipy') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
