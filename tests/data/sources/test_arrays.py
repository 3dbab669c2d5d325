import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import Ridge

from cnnctl.data.normalization import Normalize
from cnnctl.data.preparation import prepare
from cnnctl.data.samples import Split
from cnnctl.data.sources.arrays import ArraySet
from cnnctl.errors import ExitCode, FaultError
from tests.conftest import Cli
from tests.training.conftest import assert_same_state, last

DIGITS, DIGIT = load_digits(return_X_y=True)
DIGITS = DIGITS.reshape(-1, 8, 8)
THREE = np.arange(60) % 3


def save(folder: Path, **arrays: Any) -> str:
    np.savez(folder / "data.npz", **arrays)
    return str(folder / "data.npz")


def unpacked(folder: Path, **arrays: Any) -> str:
    path = folder / "data"
    path.mkdir(exist_ok=True)
    for name, array in arrays.items():
        np.save(path / f"{name}.npy", array)
    return str(path)


def surveyed(path: str, **options: Any) -> ArraySet:
    return ArraySet.read({"name": "arrays", "path": path, **options}).surveyed(Path(), seed=0)


def inputs_of(split: Split) -> Any:
    return split.samples.rows.take(split.positions).numpy()


def sizes(data: ArraySet) -> list[int]:
    parts = prepare(data, seed=0).splits
    return [len(part) for part in (parts.train, parts.validation, parts.test)]


def vectors(count: int = 60) -> Any:
    return np.random.default_rng(0).normal(size=(count, 4))


def test_keras_layout_keeps_its_test_split(tmp_path: Path) -> None:
    images, rest = DIGITS[:, :, :, None].astype(np.uint8), slice(1500, None)
    path = save(
        tmp_path,
        **{"x_train": images[:1500], "y_train": DIGIT[:1500].astype(np.uint8)},
        **{"x_test": images[rest], "y_test": DIGIT[rest].astype(np.uint8)},
    )
    data = surveyed(path)
    assert (data.shape, data.layout, data.white, data.task) == (
        [1, 8, 8],
        "channels_last",
        255,
        "classification",
    )
    parts = prepare(data, seed=0).splits
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [1350, 150, 297]
    np.testing.assert_array_equal(inputs_of(parts.test)[:, 0], images[rest, :, :, 0])
    assert parts.test.targets.tolist() == DIGIT[rest].tolist()
    both = torch.cat([parts.train.positions, parts.validation.positions]).sort()[0]
    assert both.tolist() == list(range(1500))
    counts = np.bincount(DIGIT[:1500]) * 0.1
    assert np.abs(np.bincount(parts.validation.targets) - counts).max() <= 1


def test_medmnist_layout_keeps_all_its_splits(tmp_path: Path) -> None:
    arrays = {}
    bounds = {"train": slice(900), "val": slice(900, 1000), "test": slice(1000, None)}
    for split, rows in bounds.items():
        arrays[f"{split}_images"] = DIGITS[rows].astype(np.uint8)
        arrays[f"{split}_labels"] = DIGIT[rows, None].astype(np.uint8)
    parts = prepare(surveyed(save(tmp_path, **arrays)), seed=0).splits
    for part, name in ((parts.train, "train"), (parts.validation, "val"), (parts.test, "test")):
        np.testing.assert_array_equal(inputs_of(part)[:, 0], arrays[f"{name}_images"])
        assert part.targets.tolist() == arrays[f"{name}_labels"][:, 0].tolist()


def test_one_pair_is_cut_the_same_for_every_seed(tmp_path: Path) -> None:
    data = surveyed(save(tmp_path, X=DIGITS, y=DIGIT))
    first, second = (prepare(data, seed=seed).splits for seed in (0, 1))
    assert [len(part) for part in (first.train, first.validation, first.test)] == [1374, 153, 270]
    np.testing.assert_array_equal(inputs_of(first.test), inputs_of(second.test))
    assert first.validation.positions.tolist() != second.validation.positions.tolist()
    together = np.concatenate([inputs_of(p) for p in (first.train, first.validation, first.test)])
    assert sorted(map(bytes, together[:, 0])) == sorted(map(bytes, DIGITS.astype(np.float32) / 255))


@pytest.mark.parametrize("rows", ["memory", "mapped"])
def test_a_folder_gives_the_same_samples_as_an_archive(rows: str, tmp_path: Path) -> None:
    arrays = {"x_train": DIGITS[:900], "x_val": DIGITS[900:1000], "x_test": DIGITS[1000:]}
    arrays |= {"y_train": DIGIT[:900], "y_val": DIGIT[900:1000], "y_test": DIGIT[1000:]}
    one = prepare(surveyed(save(tmp_path, **arrays)), seed=0)
    other = prepare(surveyed(unpacked(tmp_path, **arrays), rows=rows), seed=0)
    assert isinstance(other.splits.train.samples.inputs, torch.Tensor) == (rows == "memory")
    for name in ("train", "validation", "test"):
        own, its = getattr(one.splits, name), getattr(other.splits, name)
        np.testing.assert_array_equal(inputs_of(own), inputs_of(its))
        assert own.targets.tolist() == its.targets.tolist()
    assert one.data.normalize == other.data.normalize


def test_statistics_are_those_of_the_training_split(tmp_path: Path) -> None:
    numbers = vectors(200) * [1, 10, 100, 1000] + 5
    prepared = prepare(surveyed(save(tmp_path, x=numbers, y=THREE[:50].repeat(4))), seed=0)
    train = numbers[np.isin(numbers[:, 0].astype(np.float32), inputs_of(prepared.splits.train))]
    assert isinstance(prepared.data.normalize, Normalize)
    np.testing.assert_allclose(prepared.data.normalize.mean, train.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(prepared.data.normalize.std, train.std(axis=0), rtol=1e-5)


def test_what_is_surveyed_is_read_back(tmp_path: Path) -> None:
    for arrays in ({"x": vectors(), "y": THREE}, {"x": vectors(), "y": vectors()[:, :2]}):
        data = surveyed(save(tmp_path, **arrays))
        assert ArraySet.read(data.written()) == data
    assert data.describe().outputs == 2


def test_labels_have_names_and_are_stratified(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).random((200, 3)) < [0.5, 0.3, 0.05]
    data = surveyed(save(tmp_path, x=vectors(200), y=labels), classes=["a", "b", "rare"])
    assert data.describe().is_multilabel
    parts = prepare(data, seed=0).splits
    for part in (parts.train, parts.validation, parts.test):
        assert part.targets.sum(0).min() >= 1
    assert surveyed(save(tmp_path, x=vectors(200), y=labels)).classes == ["0", "1", "2"]
    with pytest.raises(FaultError, match="2 names, but y has 3 columns of labels"):
        surveyed(save(tmp_path, x=vectors(200), y=labels), classes=["a", "b"])


def test_one_hot_rows_are_classes_and_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path, x=vectors(), y=np.eye(3)[THREE])
    assert surveyed(path).classes == ["0", "1", "2"]
    assert "y is one-hot, so each sample has one class" in capsys.readouterr().err
    assert surveyed(path, task="multilabel").describe().is_multilabel
    assert not capsys.readouterr().err


def test_groups_stay_together(tmp_path: Path) -> None:
    who = np.array([f"p{number // 4}" for number in range(120)])
    arrays = {"x": np.arange(120.0)[:, None], "y": np.arange(120) % 2, "who": who}
    parts = prepare(surveyed(save(tmp_path, **arrays), group="who", validation=0.2), seed=0).splits
    found = [
        {who[int(at)] for at in inputs_of(part)[:, 0]}
        for part in (parts.train, parts.validation, parts.test)
    ]
    assert all(found)
    assert sum(map(len, found)) == 30


def test_a_group_in_two_given_splits_is_a_fault(tmp_path: Path) -> None:
    pairs = {f"{what}_{split}": THREE for what in "xy" for split in ("train", "test")}
    groups = {"who_train": np.arange(60), "who_test": np.arange(59, 119)}
    with pytest.raises(FaultError, match="group '59' is in both who_train and who_test"):
        surveyed(save(tmp_path, **pairs, **groups), group="who")


def test_an_array_can_give_the_splits(tmp_path: Path) -> None:
    fold = np.repeat(["train", "val", "test"], 20)
    data = surveyed(save(tmp_path, x=vectors(), y=THREE, fold=fold), split="fold")
    assert sizes(data) == [20, 20, 20]
    fold = np.where(fold == "val", "vla", fold)
    with pytest.raises(FaultError, match=r"fold\[20\] is vla, which is not a split") as error:
        surveyed(save(tmp_path, x=vectors(), y=THREE, fold=fold), split="fold")
    assert "did you mean val" in error.value.faults[0].hint


@pytest.mark.parametrize("kind", ["npz", "folder"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e39])
def test_numbers_that_are_none_are_named_by_sample(wrong: float, kind: str, tmp_path: Path) -> None:
    numbers = vectors()
    numbers[41, 2] = wrong
    path = (save if kind == "npz" else unpacked)(tmp_path, x=numbers, y=THREE)
    with pytest.raises(FaultError, match=r"x\[41\] (is not finite|has 1e\+39)") as error:
        prepare(surveyed(path), seed=0)
    assert error.value.exit_code is ExitCode.DATA


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"x": vectors(), "y": THREE[:59]}, {}, "x has 60 samples, but y has 59"),
        ({"x": vectors(), "y": THREE}, {"rows": "mapped"}, "an .npz file cannot be mapped"),
        ({"x": vectors(), "y": THREE}, {"test": 0.001}, "leaves none for testing"),
        ({"x": vectors(), "y": THREE, "z": THREE * 0}, {"group": "z"}, "in one group, '0'"),
        ({"x": vectors(), "y": THREE * 0}, {}, "y has only one class in the training split"),
        ({"x": vectors().astype(str), "y": THREE}, {}, "x holds texts, not numbers"),
        ({"x": vectors() * 1j, "y": THREE}, {}, "x is of dtype complex128"),
        (
            {"x_train": vectors(), "y_train": THREE, "x_test": vectors(), "y_test": THREE + 1},
            {},
            r"y_test\[2\] is of class '3', which is not in the training split",
        ),
        (
            {"x_train": vectors(), "y_train": THREE, "x_test": vectors().T, "y_test": THREE[:4]},
            {},
            r"x_test has the shape \(4, 60\), not \(N, 4\)",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_faults(
    arrays: dict[str, Any], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(FaultError, match=message) as error:
        prepare(surveyed(save(tmp_path, **arrays), **options), seed=0)
    assert error.value.faults[0].hint


def test_a_class_without_training_samples_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    surveyed(save(tmp_path, x=vectors(), y=THREE), classes=["a", "b", "c", "d"])
    assert capsys.readouterr().err == "note: no training sample is of class d\n"


IMAGES = """\
data: {name: arrays, path: data.npz, batch_size: 32}
model: {layers: [conv: {out_channels: 8, kernel_size: 3}, relu, flatten, linear: classes]}
optimizer: {name: adam, lr: 0.01}
train: {epochs: 5}
"""
VALUES = """\
data: {name: arrays, path: data.npz, batch_size: 64}
model: {layers: [linear: 1]}
loss: mse
optimizer: {name: adam, lr: 0.02}
train: {epochs: 60}
"""


def done(quick_cli: Cli, *arguments: str) -> str:
    ran = quick_cli(*arguments)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def answers(quick_cli: Cli, name: str) -> list[dict[str, Any]]:
    lines = done(quick_cli, "predict", "runs/digits", name, "--jsonl").splitlines()
    return [json.loads(line) for line in lines]


def test_images_are_learned_evaluated_and_answered(quick_cli: Cli, tmp_path: Path) -> None:
    save(tmp_path, images=DIGITS / 16, labels=DIGIT)
    (tmp_path / "digits.yaml").write_text(IMAGES)
    assert "arrays: 1,374 train, 153 validation, 270 test" in done(
        quick_cli, "train", "digits.yaml"
    )
    measured = json.loads(done(quick_cli, "eval", "runs/digits", "--json"))
    assert measured["accuracy"] > 0.9
    done(quick_cli, "preview", "digits.yaml")
    # the same answers for the array, one sample of it, its folder and another layout
    np.save(tmp_path / "first.npy", DIGITS[0] / 16)
    unpacked(tmp_path, images=DIGITS[:3, :, :, None] / 16)
    found = {name: answers(quick_cli, name) for name in ("data.npz", "first.npy", "data")}
    assert [each["input"] for each in found["data.npz"][:2]] == [
        "data.npz: images[0]",
        "data.npz: images[1]",
    ]
    own = [each["probabilities"] for each in found["data.npz"]]
    right = sum(
        max(each, key=each.__getitem__) == str(y) for each, y in zip(own, DIGIT, strict=True)
    )
    assert right / len(own) > 0.9
    assert [each["probabilities"] for each in found["first.npy"]] == own[:1]
    assert [each["probabilities"] for each in found["data"]] == own[:3]
    assert done(quick_cli, "summary", "runs/digits")
    (tmp_path / "data.npz").unlink()
    assert done(quick_cli, "summary", "runs/digits")
    missing = quick_cli("eval", "runs/digits")
    assert missing.returncode == ExitCode.DATA
    assert "no such file or folder" in missing.stderr


def test_values_are_learned_as_well_as_by_ridge_regression(quick_cli: Cli, tmp_path: Path) -> None:
    features, progression = load_diabetes(return_X_y=True, scaled=False)
    np.savez(tmp_path / "data.npz", features, progression)
    parts = prepare(surveyed(str(tmp_path / "data.npz")), seed=0).splits
    scale = inputs_of(parts.train).mean(axis=0), inputs_of(parts.train).std(axis=0)
    train, test = ((inputs_of(p) - scale[0]) / scale[1] for p in (parts.train, parts.test))
    other = Ridge().fit(train, parts.train.targets).score(test, parts.test.targets)
    (tmp_path / "diabetes.yaml").write_text(VALUES)
    done(quick_cli, "train", "diabetes.yaml")
    assert json.loads(done(quick_cli, "eval", "runs/diabetes", "--json"))["r2"] >= other - 0.01


def test_other_arrays_are_tested_whole_but_not_resumed_on(quick_cli: Cli, tmp_path: Path) -> None:
    save(tmp_path, x=DIGITS.astype(np.uint8), y=DIGIT)
    (tmp_path / "digits.yaml").write_text(IMAGES)
    done(quick_cli, "train", "digits.yaml", "train.epochs=1")
    np.savez(tmp_path / "new.npz", x=DIGITS[:40].astype(np.uint8), y=DIGIT[:40])
    other = quick_cli("eval", "runs/digits", "--data", "new.npz", "--json")
    assert other.returncode == 0, other.stderr
    assert json.loads(other.stdout)["samples"] == 40
    assert "new.npz is not the data of the run: all 40 samples are tested" in other.stderr
    np.savez(tmp_path / "new.npz", x_test=DIGITS[:30].astype(np.uint8), y_test=DIGIT[:30])
    other = quick_cli("eval", "runs/digits", "--data", "new.npz", "--json")
    assert (json.loads(other.stdout)["samples"], other.stderr) == (30, "")
    # the same arrays elsewhere are cut as in training
    save(tmp_path / "runs", x=DIGITS.astype(np.uint8), y=DIGIT)
    assert done(quick_cli, "eval", "runs/digits", "--data", "runs/data.npz") == done(
        quick_cli, "eval", "runs/digits"
    )
    save(tmp_path, x=DIGITS[::-1].astype(np.uint8), y=DIGIT[::-1])
    resumed = quick_cli("train", "--resume", "runs/digits", "train.epochs=2")
    assert resumed.returncode == ExitCode.DATA
    assert "split has changed since the run was started" in resumed.stderr


HEADS = """\
data:
  name: arrays
  path: data.npz
  inputs: scan
  targets:
    digit: class
    odd: {name: labels, column: bits, classes: [odd, big]}
    place: {name: values, columns: [place, ink]}
  batch_size: 64
model:
  layers: [flatten, linear: 32, relu]
  heads:
    digit: {layers: [linear: classes]}
    odd: {layers: [linear: classes], loss: bce_with_logits}
    place: {layers: [linear: classes], loss: mse}
optimizer: {name: adam, lr: 0.01}
train: {epochs: 12}
"""


def heads(folder: Path) -> str:
    """Digits with a class, two labels, and three values in two arrays."""
    bits = np.stack([DIGIT % 2, DIGIT > 4], axis=1)
    ink = DIGITS.mean(axis=(1, 2))
    place = np.stack([DIGITS[:, :4].mean(axis=(1, 2)), DIGITS[:, :, :4].mean(axis=(1, 2))], axis=1)
    arrays = {"digit": DIGIT, "bits": bits, "place": place, "ink": ink}
    cut = slice(1500, None)
    train = {f"train_{name}": array[:1500] for name, array in arrays.items()}
    test = {f"test_{name}": array[cut] for name, array in arrays.items()}
    scans = {
        "train_scan": DIGITS[:1500].astype(np.uint8),
        "test_scan": DIGITS[cut].astype(np.uint8),
    }
    return save(folder, **train, **test, **scans)


TARGETS = {
    "digit": "class",
    "odd": {"name": "labels", "column": "bits", "classes": ["odd", "big"]},
    "place": {"name": "values", "columns": ["place", "ink"]},
}


def test_several_arrays_are_several_targets(tmp_path: Path) -> None:
    data = surveyed(heads(tmp_path), inputs="scan", targets=TARGETS)
    described = {target.name: target for target in data.describe().targets}
    assert described["digit"].class_names == tuple("0123456789")
    assert described["odd"].class_names == ("odd", "big")
    assert (described["place"].kind, described["place"].outputs) == ("values", 3)
    prepared = prepare(data, seed=0)
    test = prepared.splits.test
    assert test.target("digit").tolist() == DIGIT[1500:].tolist()
    assert test.target("odd")[:, 0].tolist() == (DIGIT[1500:] % 2).tolist()
    ink = DIGITS[1500:].mean(axis=(1, 2))
    np.testing.assert_allclose(test.target("place")[:, 2], ink, rtol=1e-6)
    place = prepared.data.target_normalizations["place"]
    assert isinstance(place, Normalize)
    train = prepared.splits.train.target("place").numpy()
    np.testing.assert_allclose(place.mean, train.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(place.std, train.std(axis=0), rtol=1e-5)


def test_labels_can_be_arrays_of_one_each(tmp_path: Path) -> None:
    path = save(tmp_path, x=DIGITS, odd=DIGIT % 2, big=DIGIT > 4, never=DIGIT < 0)
    labels = {"name": "labels", "columns": ["odd", "big"]}
    prepared = prepare(surveyed(path, targets={"kind": labels}, test=0, validation=0), seed=0)
    [target] = prepared.data.describe().targets
    assert (target.kind, target.class_names) == ("labels", ("odd", "big"))
    expected = np.stack([DIGIT % 2, DIGIT > 4], axis=1)
    np.testing.assert_array_equal(prepared.splits.train.target("kind"), expected)
    labels["columns"] = ["odd", "never"]
    with pytest.raises(FaultError, match="no row of the training split has the label never"):
        surveyed(path, targets={"kind": labels})


def test_thousands_of_classes_have_names(tmp_path: Path) -> None:
    number = np.arange(4002) % 2001
    path = save(tmp_path, x=np.eye(3)[number % 3], y=number)
    for options in ({"task": "classification"}, {"targets": {"y": "class"}}):
        data = surveyed(path, test=0, validation=0, **options)
        assert data.describe().outputs == 2001
        assert ArraySet.read(data.written()) == data


def test_heads_are_trained_evaluated_and_answered(quick_cli: Cli, tmp_path: Path) -> None:
    heads(tmp_path)
    (tmp_path / "x.yaml").write_text(HEADS, encoding="utf-8")
    trained = quick_cli("train", "x.yaml")
    assert trained.returncode == 0, trained.stderr
    measured = json.loads(quick_cli("eval", "runs/x", "--json").stdout)["heads"]
    assert measured["digit"]["accuracy"] > 0.85
    assert measured["odd"]["macro_f1"] > 0.8
    assert measured["place"]["r2"] > 0.7
    np.save(tmp_path / "new.npy", DIGITS[:2].astype(np.uint8))
    answered = quick_cli("predict", "runs/x", "new.npy", "--jsonl")
    assert answered.returncode == 0, answered.stderr
    answers = [json.loads(line)["heads"] for line in answered.stdout.splitlines()]
    assert [set(each) for each in answers] == [{"digit", "odd", "place"}] * 2
    [*_, ink] = answers[0]["place"]["values"]
    assert abs(ink - DIGITS[0].mean()) < 1  # of 4.9 on average
    names, first, _ = csv.reader(
        quick_cli("predict", "runs/x", "new.npy", "--csv").stdout.splitlines()
    )
    assert all(any(name.startswith(head) for name in names) for head in TARGETS)
    assert float(first[names.index("place_value_3")]) == pytest.approx(ink, abs=1e-4)


def test_heads_are_resumed_to_the_same_bits(quick_cli: Cli, tmp_path: Path) -> None:
    heads(tmp_path)
    (tmp_path / "x.yaml").write_text(HEADS, encoding="utf-8")
    for arguments in (("train.epochs=1",), ("train.epochs=3", "--resume")):
        done = quick_cli("train", "x.yaml", *arguments)
        assert done.returncode == 0, done.stderr
    unbroken = quick_cli("train", "x.yaml", "train.epochs=3", "--runs", "others")
    assert unbroken.returncode == 0, unbroken.stderr
    assert_same_state(last(tmp_path / "runs" / "x"), last(tmp_path / "others" / "x"))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"digti": "class"}, "targets.digti: .* has no array digti"),
        ({"digit": "labels"}, "has numbers other than 0 and 1"),
        ({"i": {"name": "values", "columns": ["ink"], "outputs": 2}}, "2 outputs, but the target"),
        ({"digit": "class", "d": {"name": "class", "column": "digit"}}, "belongs to digit already"),
        ({"bits": "class"}, "rows of 2 numbers that are not one-hot"),
        (
            {"b": {"name": "labels", "columns": ["bits"]}},
            "bits has 2 labels of each sample, not one",
        ),
    ],
)
def test_targets_that_do_not_fit_are_refused(
    targets: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(FaultError, match=message):
        surveyed(heads(tmp_path), inputs="scan", targets=targets)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target": "digit"}, "target and targets exclude each other"),
        ({"outputs": 2}, "outputs and targets exclude each other"),
        ({"task": "regression"}, "task is for one target"),
    ],
)
def test_one_target_and_several_exclude_each_other(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        surveyed("data.npz", inputs="scan", targets=TARGETS, **given)
