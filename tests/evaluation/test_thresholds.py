"""The thresholds of labels: which are measured, and where they are put."""

from __future__ import annotations

import torch

from cnnctl.config.parsing import parse
from cnnctl.evaluation.thresholds import measured_thresholds
from cnnctl.experiment import Loaded, complete, with_thresholds

HEADS = """
data:
  name: inline
  inputs: [[0], [1], [2], [3]]
  targets: {side: [0, 1, 1, 0], tags: [[0, 1], [1, 1], [0, 0], [1, 1]], more: [[1], [0], [1], [1]]}
  classes: {tags: [round, red], more: [large]}
model:
  layers: [linear: 4]
  heads:
    side: {layers: [linear: classes], loss: cross_entropy}
    tags: {layers: [linear: classes]}
    more: {layers: [linear: classes], loss: {name: bce_with_logits, threshold: 0.25}}
loss: bce_with_logits
"""


def loaded(text: str) -> Loaded:
    return complete(parse(text, origin="x.yaml"), "x")


def test_the_thresholds_of_labels_are_measured_unless_they_are_set() -> None:
    shares = torch.tensor([[0.1, 0.3], [0.2, 0.4], [0.1, 0.2], [0.4, 0.9]])
    outputs = torch.cat([torch.zeros(4, 2), shares.logit(), torch.zeros(4, 1)], dim=1)
    targets = torch.tensor([[0.0, 0, 1, 1], [1, 1, 1, 0], [1, 0, 0, 1], [0, 1, 1, 1]])
    # between 0.1 and 0.2, and between 0.2 and 0.3
    found = measured_thresholds(loaded(HEADS).tasks, outputs, targets)
    assert found == {"tags": [0.15, 0.25]}


def test_heads_get_their_own_thresholds_in_the_experiment() -> None:
    experiment = with_thresholds(loaded(HEADS).experiment, {"tags": [0.15, 0.25]})
    losses = {name: head.loss for name, head in experiment.model.heads.items()}
    assert {name: loss.written() for name, loss in losses.items() if loss} == {
        "side": {"name": "cross_entropy", "reduction": "mean", "label_smoothing": 0.0},
        "tags": {"name": "bce_with_logits", "reduction": "mean", "threshold": [0.15, 0.25]},
        "more": {"name": "bce_with_logits", "reduction": "mean", "threshold": 0.25},
    }
    assert experiment.loss.options()["threshold"] == "auto"


def test_a_network_without_heads_gets_them_in_its_loss() -> None:
    text = """
data: {name: inline, inputs: [[0], [1]], targets: [[0], [1]], classes: [red]}
model: {layers: [linear: classes]}
loss: bce_with_logits
"""
    found = loaded(text)
    experiment = with_thresholds(found.experiment, {"": [0.75]})
    assert experiment.loss.options()["threshold"] == [0.75]
    assert with_thresholds(found.experiment, {}) == found.experiment
