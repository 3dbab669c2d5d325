from io import StringIO

import pytest
import torch

from cnnctl.console import Screen
from cnnctl.evaluation.measured import Measured, measure
from cnnctl.evaluation.report import render
from cnnctl.metrics import Predictions

CIFAR10 = [
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
]


def printed(measured: Measured, *, color: bool = False) -> str:
    text = StringIO()
    console = Screen(file=text, width=80, force_terminal=color, no_color=not color)
    console.print(render(measured))
    return text.getvalue()


def measured_of(confusion: list[list[int]], names: list[str]) -> Measured:
    """Outputs of a network that confuses classes exactly so."""
    pairs = [(i, j) for i, row in enumerate(confusion) for j, n in enumerate(row) for _ in range(n)]
    targets, predicted = torch.tensor(pairs).T
    probabilities = torch.nn.functional.one_hot(predicted, len(names)).float()
    predictions = Predictions(0.25, predicted, targets, tuple(names), probabilities)
    return measure(predictions, kind="class")


def test_the_result_stands_in_the_first_lines() -> None:
    text = printed(measured_of([[3, 1], [0, 4]], ["no", "yes"]))
    assert text.splitlines()[0] == "loss 0.2500, accuracy 87.50 % on 8 samples"
    assert "top-5" not in text


def test_every_class_has_a_row_with_its_name_and_both_averages_follow() -> None:
    text = printed(measured_of([[3, 1], [0, 4]], ["no", "yes"]))
    rows = [line.split() for line in text.splitlines()]
    assert ["no", "100.00", "%", "75.00", "%", "85.71", "%", "4"] in rows
    assert ["yes", "80.00", "%", "100.00", "%", "88.89", "%", "4"] in rows
    assert ["macro", "average", "90.00", "%", "87.50", "%", "87.30", "%", "8"] in rows


def test_the_printed_confusion_matrix_holds_every_sample() -> None:
    confusion = [[30 if i == j else (i + j) % 3 for j in range(10)] for i in range(10)]
    lines = printed(measured_of(confusion, CIFAR10)).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("confusion"))
    rows = [line.split() for line in lines[start + 3 :]]
    assert [row[1] for row in rows] == CIFAR10
    assert [[int(n.replace("·", "0")) for n in row[2:]] for row in rows] == confusion


def test_errors_are_highlighted() -> None:
    text = printed(measured_of([[3, 2], [0, 4]], ["no", "yes"]), color=True)
    assert "\x1b[1;31m2\x1b[0m" in text.replace(" ", "")
    assert "\x1b[32m3\x1b[0m" in text.replace(" ", "")


def test_ten_classes_fit_80_columns() -> None:
    confusion = [[980 if i == j else 10 for j in range(10)] for i in range(10)]
    lines = printed(measured_of(confusion, CIFAR10)).splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)


def many_classes(errors: dict[tuple[int, int], int]) -> str:
    names = [f"class{i}" for i in range(30)]
    confusion = [[5 if i == j else errors.get((i, j), 0) for j in range(30)] for i in range(30)]
    return printed(measured_of(confusion, names))


def test_of_many_classes_the_most_confused_pairs_are_shown_worst_first() -> None:
    text = many_classes({(4, 9): 2, (7, 3): 6, (20, 21): 2})
    below = [line.split() for line in text.split("most frequent confusions:")[1].splitlines()]
    assert below[3:] == [
        ["class7", "class3", "6"],
        ["class4", "class9", "2"],
        ["class20", "class21", "2"],
    ]


def test_many_classes_without_an_error_say_so() -> None:
    assert many_classes({}).endswith("no misclassified samples\n")


@pytest.mark.parametrize("name", ["[bold]", "[b]", ":ok:"])
def test_a_class_name_is_shown_as_it_is(name: str) -> None:
    assert name in printed(measured_of([[1, 0], [0, 1]], [name, "b"]))


def test_a_regression_shows_its_errors() -> None:
    measured = Measured(1442, {"loss": 2900.5, "mae": 43.125, "rmse": 53.856, "r2": 0.4812})
    text = printed(measured)
    assert text.splitlines()[0] == "loss 2900.5 on 1,442 samples"
    rows = [line.split() for line in text.splitlines()[1:]]
    assert rows == [["MAE", "43.125"], ["RMSE", "53.856"], ["R²", "0.4812"]]


def test_no_share_of_variance_is_a_dash() -> None:
    assert "R²" in printed(Measured(1, {"loss": 1, "mae": 1, "rmse": 1, "r2": None}))
