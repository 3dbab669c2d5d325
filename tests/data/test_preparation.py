from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnnctl.data import sources
from cnnctl.data.dataset import DataSet
from cnnctl.data.normalization import Normalize, normalization_of
from cnnctl.data.preparation import Prepared, cut, prepare
from cnnctl.data.samples import Samples
from cnnctl.errors import ExitCode, FaultError

assert sources

NO_DATA = Path("there-is-no-such-folder")


def rows(samples: Samples) -> set[tuple[float, ...]]:
    return {tuple(row) for row in torch.column_stack([samples.inputs, samples.targets]).tolist()}


def prepared(*, seed: int = 0, **options: Any) -> Prepared:
    return prepare(DataSet.read(options), seed=seed, root=NO_DATA)


@pytest.mark.parametrize("kind", ["digits", "moons", "circles", "spirals", "xor", "diabetes"])
def test_the_embedded_sets_come_as_they_are_described(kind: str) -> None:
    data = DataSet.read(kind)
    splits = prepare(data, seed=0, root=NO_DATA).splits
    described = data.describe()
    assert len(splits.train) == described.train_samples
    assert splits.train.inputs.shape[1:] == described.shape
    whole = described.train_samples + len(splits.validation)
    assert len(splits.validation) == round(0.1 * whole)
    classes = splits.train.targets.dtype == torch.int64
    assert classes == (described.targets[0].kind == "class")


def test_the_splits_share_no_sample_and_cover_all() -> None:
    splits = prepared(name="moons").splits
    train, validation, test = map(rows, (splits.train, splits.validation, splits.test))
    assert train.isdisjoint(validation)
    assert test.isdisjoint(train | validation)
    assert train | validation == rows(DataSet.read("moons").load("train", root=NO_DATA))


def test_validation_depends_on_the_seed_and_the_test_split_does_not() -> None:
    first, again, other = (prepared(name="digits", seed=seed).splits for seed in (1, 1, 2))
    assert torch.equal(first.validation.inputs, again.validation.inputs)
    assert not torch.equal(first.validation.inputs, other.validation.inputs)
    assert torch.equal(first.test.inputs, other.test.inputs)


def test_validation_does_not_depend_on_anything_else() -> None:
    plain = prepared(name="digits").splits
    other = prepared(name="digits", batch_size=7, size=16, normalize=None).splits
    assert torch.equal(plain.validation.targets, other.validation.targets)
    assert torch.equal(plain.train.targets, other.train.targets)


def test_without_a_share_there_is_no_validation() -> None:
    splits = prepared(name="digits", validation=0).splits
    assert (len(splits.train), len(splits.validation)) == (1437, 0)


def test_every_class_is_in_validation() -> None:
    labels = prepared(name="digits").splits.validation.targets
    assert torch.bincount(labels).tolist() == pytest.approx([14.4] * 10, abs=1)


def test_only_what_is_left_for_training_is_measured() -> None:
    data = prepared(name="digits")
    assert data.normalize == normalization_of(data.splits.train.inputs)
    assert data.normalize != normalization_of(data.splits.test.inputs)


def test_the_measured_numbers_are_kept_in_the_configuration() -> None:
    data = prepared(name="diabetes")
    assert isinstance(data.data.normalize, Normalize)
    written = DataSet.read(data.data.written())
    again = prepare(written, seed=99, root=NO_DATA)
    assert again.normalize == data.normalize
    assert again.normalize_targets == data.normalize_targets


def test_given_numbers_are_used_as_they_are() -> None:
    given = {"mean": [0.25], "std": [0.75]}
    assert prepared(name="digits", normalize=given).normalize == Normalize(**given)
    assert prepared(name="digits", normalize=None).normalize is None


def test_target_values_are_normalised_unless_told_not_to() -> None:
    data = prepared(name="diabetes")
    assert data.normalize_targets == normalization_of(data.splits.train.targets)
    assert prepared(name="diabetes", normalize_targets=None).normalize_targets is None
    assert prepared(name="moons").normalize_targets is None


def test_too_few_samples_for_a_batch_are_a_fault_where_part_batches_are_dropped() -> None:
    with pytest.raises(FaultError, match="1293 training samples do not fill a batch of 1294") as e:
        prepared(name="digits", batch_size=1294, drop_last=True)
    assert e.value.exit_code is ExitCode.DATA
    prepared(name="digits", batch_size=1293, drop_last=True)
    prepared(name="digits", batch_size=1294)
    prepared(name="digits", batch_size="all", drop_last=True)


def test_values_are_cut_at_random() -> None:
    samples = Samples(torch.arange(20.0)[:, None], torch.arange(20.0)[:, None])
    kept, held = cut(samples, held_out=5, seed=0)
    assert sorted([*kept.targets.flatten(), *held.targets.flatten()]) == list(range(20))
    assert held.targets.flatten().tolist() != [0, 1, 2, 3, 4]


def test_another_number_of_samples_than_described_is_a_data_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = DataSet.read("digits")
    few = data.load("train", root=NO_DATA).take(np.arange(100))
    monkeypatch.setattr(type(data), "read_original", lambda *_, **__: few)
    with pytest.raises(FaultError, match="digits has 100 training samples, not 1,437") as error:
        prepare(data, seed=0, root=NO_DATA)
    assert error.value.exit_code is ExitCode.DATA
