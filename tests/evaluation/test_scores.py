"""The numbers of an epoch, held against those worked out by hand."""

from __future__ import annotations

import pytest
import torch

from cnnctl.config.parsing import parse
from cnnctl.evaluation.heads import Heads
from cnnctl.evaluation.measured import Measured
from cnnctl.evaluation.scores import by_head, mean_loss, score
from cnnctl.experiment import Task, complete

VALUES = "data: diabetes\nmodel: {layers: [linear: 1]}\nloss: "
HEADS = """
data:
  name: inline
  inputs: [[0], [1], [2], [3]]
  targets: {side: [0, 1, 1, 0], height: [[1], [2], [3], [4]], kind: [0, 1, 2, 1]}
model:
  layers: [linear: 4]
  heads:
    side: {layers: [linear: classes]}
    height: {layers: [linear: 1], loss: mse, weight: 0.5}
    kind: {layers: [linear: classes], weight: 2}
"""


def tasks(text: str) -> tuple[Task, ...]:
    return complete(parse(text, origin="x.yaml"), "x").tasks


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_is_a_mean_whatever_is_trained_on(reduction: str) -> None:
    (task,) = tasks(f"{VALUES}{{name: mse, reduction: {reduction}}}")
    outputs, targets = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[1.0], [4.0], [3.0]])
    # (0 + 4 + 1) / 3
    assert mean_loss(task, outputs, targets) == pytest.approx(5 / 3)
    assert score([task], outputs, targets) == {"loss": pytest.approx(5 / 3)}


def test_heads_are_scored_one_by_one_and_together() -> None:
    sides = torch.tensor([[3.0, 0], [0, 3], [3, 0], [3, 0]])  # three of four are right
    heights = torch.tensor([[1.0], [2], [3], [2]])  # the last is wrong by 2
    kinds = torch.tensor([[9.0, 0, 0], [9, 0, 0], [0, 0, 9], [9, 0, 0]])  # two of four are right
    targets = torch.tensor([[0.0, 1, 0], [1, 2, 1], [1, 3, 2], [0, 4, 1]])
    found = score(tasks(HEADS), torch.cat([sides, heights, kinds], dim=1), targets)

    right, wrong = torch.tensor([3.0, 0]).log_softmax(0).neg().tolist()
    side = (3 * right + wrong) / 4
    first, other = torch.tensor([9.0, 0, 0]).log_softmax(0).neg()[:2].tolist()
    kind = (2 * first + 2 * other) / 4
    assert found == pytest.approx(
        {
            "loss": side + 0.5 * 1.0 + 2 * kind,
            "accuracy": (0.75 + 0.5) / 2,
            "side_accuracy": 0.75,
            "kind_accuracy": 0.5,
            "side_loss": side,
            "height_loss": 1.0,
            "kind_loss": kind,
        }
    )


def test_without_heads_there_is_one_accuracy_and_without_classes_none() -> None:
    one = tasks("model: {layers: [flatten, linear: classes]}")
    assert by_head("accuracy", one, [0.25]) == {"accuracy": 0.25}
    assert by_head("accuracy", [], []) == {}


def test_what_was_measured_of_heads_is_added_up_by_their_weights() -> None:
    side, height, kind = tasks(HEADS)
    losses = ((side, 0.5), (height, 2.0), (kind, 0.25))
    measured = {task.name: Measured(2, {"loss": loss}) for task, loss in losses}
    heads = Heads.of((side, height, kind), measured)
    assert heads.samples == 2
    assert heads.loss == pytest.approx(0.5 + 0.5 * 2 + 2 * 0.25)
    assert set(heads.to_json()["heads"]) == {"side", "height", "kind"}
