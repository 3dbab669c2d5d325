"""Differences of outputs, and the answers that an export is compared with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cnnctl.export.checking import answers, batches_of, difference, largest_difference, unread
from cnnctl.prediction.answers import answer
from tests.conftest import TINY
from tests.export.running import opened
from tests.export.test_original import MNIST

INFINITE = float("inf")
HEADS = """\
data: {name: digits}
model:
  layers: [flatten, {linear: 8}, relu]
  heads:
    digit: {layers: [{linear: classes}]}
    parity: {layers: [{linear: 1}], loss: bce_with_logits}
"""


@pytest.mark.parametrize(
    ("expected", "found", "apart"),
    [
        ([0.1, 0.9], [0.2, 0.9], 0.1),
        ([100.0, 0.0], [100.0, 1.0], 0.01),
        ([INFINITE, 1.0], [INFINITE, 1.5], 0.5),
        ([float("nan")], [float("nan")], 0.0),
        ([float("nan")], [0.0], INFINITE),
        ([0.0], [float("nan")], INFINITE),
        ([INFINITE], [-INFINITE], INFINITE),
        ([1.0, 2.0], [1.0], INFINITE),
        ([], [], 0.0),
    ],
)
def test_the_difference_is_relative_to_large_outputs(
    expected: list[float], found: list[float], apart: float
) -> None:
    pair = torch.tensor(expected), torch.tensor(found)
    assert difference(*pair) == pytest.approx(apart, abs=1e-7)


def test_a_missing_output_differs() -> None:
    one = {"a": {"x": torch.zeros(1), "y": torch.zeros(1)}}
    assert largest_difference(one, one) == 0
    assert largest_difference(one, {"a": {"x": torch.zeros(1)}}) == INFINITE
    assert largest_difference(one, {}) == INFINITE


def test_batches_are_of_one_and_of_several_random_and_real_inputs(tmp_path: Path) -> None:
    batches = batches_of(opened(tmp_path, TINY), raw=False)
    sizes = {name: len(batch) for name, batch in batches.items()}
    assert sizes == {"random-0": 1, "random-1": 7, "real-0": 1, "real-1": 7}
    original = opened(tmp_path, MNIST)
    assert [*batches_of(original, raw=True)] == ["random-0", "random-1"]
    [note] = unread(original)
    assert note.startswith("checked with random inputs only, since the data cannot be read (")


def test_the_answers_are_those_of_predict(tmp_path: Path) -> None:
    original = opened(tmp_path, HEADS)
    assert original.samples is not None
    found = answers(original, original.samples, raw=False)
    wanted = answer(original.trained, original.samples)
    for number, name in enumerate(("digit", "parity")):
        rows = torch.tensor([each[number].numbers for each in wanted])
        assert difference(rows, found[name]) < 1e-6
    raw = answers(original, original.inputs(original.samples), raw=True)
    assert raw["digit"].softmax(1).sub(found["digit"]).abs().max() < 1e-6
    assert raw["parity"].shape == (8, 1)
