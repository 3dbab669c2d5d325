"""Arrays are found by the names that others give them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnctl.data.arrays.naming import Part, find_parts
from cnnctl.data.arrays.reading import open_arrays
from cnnctl.errors import ExitCode, FaultError


def parts(
    folder: Path, *names: str, rows: dict[str, int] | None = None, **options: Any
) -> list[Part]:
    arrays: dict[str, Any] = {name: np.zeros((rows or {}).get(name, 4)) for name in names}
    np.savez(folder / "data.npz", **arrays)
    asked: dict[str, Any] = {"inputs": "auto", "target": "auto", "group": None, "split": None}
    asked |= options
    targets = [(("target",), asked.pop("target"))]
    return find_parts(open_arrays(folder / "data.npz"), place="data.npz", targets=targets, **asked)


KERAS = ("x_train", "y_train", "x_test", "y_test")
MEDMNIST = (
    *("train_images", "train_labels", "val_images", "val_labels"),
    *("test_images", "test_labels"),
)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (KERAS, {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")}),
        (
            MEDMNIST,
            {
                "train": ("train_images", "train_labels"),
                "validation": ("val_images", "val_labels"),
                "test": ("test_images", "test_labels"),
            },
        ),
        (("X", "y", "notes"), {None: ("X", "y")}),
        (("arr_0", "arr_1"), {None: ("arr_0", "arr_1")}),
        (
            ("Y-Dev", "X-Dev", "Y-Train", "X-Train"),
            {"train": ("X-Train", "Y-Train"), "validation": ("X-Dev", "Y-Dev")},
        ),
    ],
)
def test_known_layouts_are_known_by_themselves(
    names: tuple[str, ...], expected: dict[str | None, tuple[str, str]], tmp_path: Path
) -> None:
    found = parts(tmp_path, *names)
    assert {part.split: (part.inputs.name, part.targets["auto"].name) for part in found} == expected
    assert [part.split for part in found] == list(expected)


def test_options_name_arrays_or_what_those_of_splits_share(tmp_path: Path) -> None:
    names = ("scan_train", "scan_test", "age_train", "age_test", "x_train", "who_train", "who_test")
    found = parts(tmp_path, *names, inputs="scan", target="age", group="who")
    assert [part.inputs.name for part in found] == ["scan_train", "scan_test"]
    assert [part.group.name for part in found if part.group] == ["who_train", "who_test"]
    found = parts(tmp_path, *names, inputs="scan_train", target="age_train")
    assert [(part.split, part.inputs.name) for part in found] == [(None, "scan_train")]


def test_several_targets_are_found_in_all_splits(tmp_path: Path) -> None:
    names = ("x_train", "x_test", "digit_train", "digit_test", "train_angle", "test_angle")
    saved: dict[str, Any] = {name: np.zeros(4) for name in names}
    np.savez(tmp_path / "data.npz", **saved)
    arrays = open_arrays(tmp_path / "data.npz")
    options: dict[str, Any] = {"inputs": "auto", "group": None, "split": None}

    def found(*asked: str) -> list[Part]:
        targets = [(("targets", name), name) for name in asked]
        return find_parts(arrays, place="data.npz", targets=targets, **options)

    train, test = found("digit", "angle")
    assert [array.name for array in train.targets.values()] == ["digit_train", "train_angle"]
    assert [array.name for array in test.targets.values()] == ["digit_test", "test_angle"]
    with pytest.raises(FaultError, match="no array angel") as error:
        found("digit", "angel")
    assert error.value.faults[0].path == ("targets", "angel")


@pytest.mark.parametrize(
    ("names", "options", "message", "hint"),
    [
        (("x", "y"), {"inputs": "xs"}, "data.npz has no array xs", "known: x, y"),
        (KERAS, {"target": "y_tset"}, "no array y_tset", "did you mean y_test"),
        (("x", "y"), {"group": "patient"}, "no array patient", "known: x, y"),
        (("x", "y"), {"split": "fold"}, "no array fold", "known: x, y"),
    ],
)
def test_names_that_are_none_are_faults_of_their_option(
    names: tuple[str, ...], options: dict[str, Any], message: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(FaultError, match=message) as error:
        parts(tmp_path, *names, **options)
    assert error.value.exit_code is ExitCode.USAGE
    assert error.value.faults[0].path == tuple(options)
    assert hint in error.value.faults[0].hint


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "b"), "no array that is recognised as inputs among a, b"),
        (("x", "images", "y"), "several arrays that may be inputs: x, images"),
        (("x", "b"), "no array that is recognised as targets among x, b"),
        (("x", "x_train", "y"), "of all samples as well as of splits: x, x_train"),
        (("x_train", "x_test", "y_train"), "x_test has no matching array for target, only y_train"),
        (("x_train", "y_train", "y_val"), "y_val has no matching array for inputs, only x_train"),
        (("x_train", "x_test", "y"), "y has no matching array for inputs, only x_train, x_test"),
    ],
)
def test_arrays_that_do_not_belong_together_are_faults(
    names: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(FaultError, match=message) as error:
        parts(tmp_path, *names)
    assert error.value.exit_code is ExitCode.DATA
    assert error.value.faults[0].hint


def test_arrays_of_splits_that_lack_inputs_are_named_by_their_option(tmp_path: Path) -> None:
    with pytest.raises(
        FaultError, match="s has no matching array for inputs, only x_train"
    ) as error:
        parts(tmp_path, *KERAS, "s", split="s")
    assert error.value.exit_code is ExitCode.DATA
    with pytest.raises(FaultError, match="x_test has no matching array for split, only s_train"):
        parts(tmp_path, *KERAS, "s_train", split="s")


def test_differing_lengths_are_faults(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="x_test has 5 samples, but y_test has 4"):
        parts(tmp_path, *KERAS, rows={"x_test": 5})
