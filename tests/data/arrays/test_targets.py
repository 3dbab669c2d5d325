"""What can be learned of arrays of targets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnnctl.data.arrays.reading import open_arrays
from cnnctl.data.arrays.targets import ArrayTargets
from cnnctl.data.sample_targets import Task
from cnnctl.errors import ExitCode, FaultError


def targets(folder: Path, *arrays: Any) -> ArrayTargets:
    np.savez(folder / "t.npz", **{f"y{number}": array for number, array in enumerate(arrays)})
    return ArrayTargets.read(list(open_arrays(folder / "t.npz").values()))


THREE = np.arange(60) % 3
ONE_HOT = np.eye(3)[THREE]
LABELS = np.stack([np.arange(60) % 2, np.arange(60) % 3 == 0], axis=1).astype(np.uint8)


@pytest.mark.parametrize(
    ("array", "task"),
    [
        (THREE, "classification"),
        (THREE.astype(np.float64), "classification"),
        (THREE[:, None].astype(np.uint8), "classification"),  # MedMNIST's
        (np.array(["cat", "dog", "eel"])[THREE], "classification"),
        (THREE == 1, "classification"),
        (THREE * 50 - 7, "classification"),
        (np.arange(60) % 25, "classification"),  # counted from 0
        (np.arange(60) % 25 * 3, "regression"),
        (np.arange(60), "regression"),
        (np.arange(60) / 7, "regression"),
        (np.random.default_rng(0).random((60, 2)), "regression"),
        (np.arange(120).reshape(60, 2), "regression"),
        (ONE_HOT, "classification"),
        (ONE_HOT.astype(bool), "classification"),
        (LABELS, "multilabel"),
        (LABELS.astype(np.float32), "multilabel"),
    ],
)
def test_the_task_follows_from_the_targets(array: Any, task: Task, tmp_path: Path) -> None:
    found = targets(tmp_path, array)
    assert found.found_task() == task
    found.check(task)


@pytest.mark.parametrize(
    ("array", "names"),
    [
        (THREE, ["0", "1", "2"]),
        (THREE.astype(np.float32), ["0", "1", "2"]),
        (THREE * 5 - 5, ["-5", "0", "5"]),
        (ONE_HOT, ["0", "1", "2"]),
        (THREE == 1, ["false", "true"]),
        (np.array(["Züri", "a b", "NA"])[THREE], ["NA", "Züri", "a b"]),
        (np.array([b"dog", b"cat"])[THREE % 2], ["cat", "dog"]),
    ],
)
def test_classes_are_named_and_numbered_in_order(
    array: Any, names: Sequence[str], tmp_path: Path
) -> None:
    found = targets(tmp_path, array)
    assert found.class_names() == names
    numbers = found.class_numbers(names)
    assert numbers.dtype == torch.int64
    assert numbers.tolist() == found.class_codes().tolist()
    pairs = {
        (str(row), number) for row, number in zip(array.tolist(), numbers.tolist(), strict=True)
    }
    assert len(pairs) == len(names)


def test_classes_that_are_given_name_numbers_in_order(tmp_path: Path) -> None:
    for array in (THREE % 2, THREE % 2 == 1):
        found = targets(tmp_path, array)
        assert found.class_numbers(["cat", "dog"]).tolist() == (THREE % 2).tolist()
    found = targets(tmp_path, np.array(["b", "a"])[THREE % 2])
    assert found.class_numbers(["b", "a"]).tolist() == (THREE % 2).tolist()


@pytest.mark.parametrize(
    ("array", "classes", "message", "hint"),
    [
        (
            THREE,
            ["a", "b"],
            r"y0\[2\] is of class '2', which is not in the training",
            "known: 0, 1",
        ),
        (THREE, ["0", "1"], r"y0\[2\] is of class '2'", "known: 0, 1"),
        (np.array(["cat", "dgo"])[THREE % 2], ["cat", "dog"], r"y0\[1\] is of class dgo", "dog?"),
    ],
)
def test_classes_that_are_not_known_are_named_by_sample(
    array: Any, classes: list[str], message: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(FaultError, match=message) as error:
        targets(tmp_path, array).class_numbers(classes)
    assert hint in error.value.faults[0].hint


def test_a_sample_is_named_in_its_own_array(tmp_path: Path) -> None:
    found = targets(tmp_path, THREE, np.array([0, 1, 9]))
    for some in (found, found.take(np.array([0, 62, 1]))):
        with pytest.raises(FaultError, match=r"t.npz: y1\[2\] is of class '9'"):
            some.class_numbers(["0", "1", "2"])


def test_values_and_labels_are_float32(tmp_path: Path) -> None:
    rows = np.array([3, 5])
    found = targets(tmp_path, np.arange(6) / 4).take(rows).values()
    assert torch.equal(found, torch.tensor([[0.75], [1.25]]))
    found = targets(tmp_path, LABELS).take(rows).labels(["a", "b"], separator=";")
    assert torch.equal(found, torch.tensor([[1.0, 1.0], [1.0, 0.0]]))
    found = targets(tmp_path, LABELS[:, 0]).take(rows).bits()
    assert torch.equal(found, torch.tensor([1.0, 1.0]))


@pytest.mark.parametrize(
    ("arrays", "task", "message"),
    [
        ([np.array([0.5, np.nan])], "regression", r"y0\[1\] is not finite: it has nan"),
        ([np.array([0.5, -np.inf])], "regression", r"y0\[1\] is not finite: it has -inf"),
        ([np.array([0.5, 1e39])], "regression", r"y0\[1\] has 1e\+39, which float32 cannot"),
        ([np.array([0, 2**24 + 1])], "regression", r"y0\[1\] has 1.67772e\+07, which float32"),
        ([np.array(["a", ""])], "classification", r"y0\[1\] has no target"),
        ([np.array([b"a", b"\xff"])], "classification", "texts that are not UTF-8"),
        ([np.array(["a", "\ud800"])], "classification", "texts that are not Unicode"),
        ([np.array([["a", "b"]])], "classification", r"has texts of shape \(1, 2\)"),
        ([np.zeros((2, 2, 2))], "regression", r"has the shape \(2, 2, 2\), not"),
        ([np.zeros(0)], "regression", r"has the shape \(0,\), not"),
        ([np.zeros(())], "regression", r"has the shape \(\), not"),
        ([np.array(["a"]), np.zeros(2)], "classification", "another kind or width than y0"),
        ([np.zeros((2, 3)), np.zeros((2, 2))], "regression", "another kind or width than y0"),
        ([np.array([0.0, 0.5])], "classification", r"y0\[1\] is 0.5, which is not a class"),
        ([np.array([[1, 0], [1, 1]])], "classification", "2 numbers that are not one-hot"),
        ([np.array([[1, 0], [1, 2]])], "multilabel", r"y0\[1\] has numbers other than 0 and 1"),
        ([np.array(["a", "b"])], "regression", "holds texts, which are classes"),
        ([np.array(["a", "b"])], "multilabel", "holds texts, which are classes"),
    ],
)
def test_targets_that_do_not_fit_are_named(
    arrays: list[Any], task: Task, message: str, tmp_path: Path
) -> None:
    with pytest.raises(FaultError, match=message) as error:
        targets(tmp_path, *arrays).check(task)
    assert error.value.exit_code is ExitCode.DATA
    assert error.value.faults[0].hint


def test_a_target_with_one_class_or_too_many_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="y0 has only one class in the training split, '0'"):
        targets(tmp_path, THREE).take(np.array([0, 3])).class_names()
    with pytest.raises(FaultError, match="has 10,001 classes, more than the limit of 10,000"):
        targets(tmp_path, np.arange(10_001)).class_names()
