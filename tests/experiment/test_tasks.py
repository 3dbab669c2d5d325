"""Heads and auxiliary classifiers: what each learns, from which columns, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from cnnctl.config.parsing import parse
from cnnctl.errors import FaultError
from cnnctl.experiment import (
    Loaded,
    Task,
    build_loss,
    build_normalizer,
    complete,
    task_weights,
)

TRUNK = "layers: [conv: {out_channels: 4, padding: 1}, relu, flatten, linear: 8, relu]"
TWO = f"""
data: digits
model:
  {TRUNK}
  heads:
    parity: {{layers: [linear: classes], weight: 0.5}}
    digit: {{layers: [linear: 16, relu, linear: classes]}}
"""
ASIDE = """
data: digits
model:
  layers:
    - conv: {out_channels: 4, padding: 1}
    - auxiliary: {layers: [global_avg_pool, linear: classes], weight: 0.25}
    - relu
    - flatten
    - linear: classes
"""


def loaded(text: str) -> Loaded:
    return complete(parse(text, origin="x.yaml"), "x")


def told(text: str) -> str:
    with pytest.raises(FaultError) as raised:
        loaded(text)
    return str(raised.value)


def test_a_network_without_heads_has_one_task_and_the_loss_itself() -> None:
    tasks = loaded("model: {layers: [flatten, linear: classes]}").tasks
    assert [(t.name, t.weight, t.outputs, t.targets) for t in tasks] == [("", 1.0, None, None)]
    assert isinstance(build_loss(tasks, reduction="mean"), torch.nn.CrossEntropyLoss)


def test_each_head_has_its_own_classes_and_its_own_columns() -> None:
    found = loaded(TWO)
    heads = [(t.name, t.outputs, t.targets, t.target.class_names[:2]) for t in found.tasks]
    assert heads == [
        ("parity", slice(0, 2), slice(0, 1), ("even", "odd")),
        ("digit", slice(2, 12), slice(1, 2), ("0", "1")),
    ]
    assert found.plan.output == (12,)


def weighted_sum(tasks: Sequence[Task], outputs: Tensor, targets: Tensor) -> Tensor:
    losses = build_loss(tasks, reduction="mean")(outputs, targets)
    return torch.inner(losses, task_weights(tasks, device=outputs.device))


def test_the_losses_of_the_heads_have_their_weights_beside_them() -> None:
    outputs, digits = torch.randn(7, 12), torch.arange(7)
    targets = torch.stack([digits % 2, digits], dim=1).float()
    expected = 0.5 * functional.cross_entropy(outputs[:, :2], digits % 2)
    expected += functional.cross_entropy(outputs[:, 2:], digits)
    torch.testing.assert_close(weighted_sum(loaded(TWO).tasks, outputs, targets), expected)


def test_heads_may_have_losses_of_their_own_and_values_beside_classes() -> None:
    text = """
data:
  name: inline
  inputs: [[0, 1], [1, 0], [1, 1], [2, 1]]
  targets: {side: [0, 1, 1, 0], place: [[0.5, 1], [1, 2], [2, 3], [3, 1]]}
model:
  layers: [linear: 4, tanh]
  heads:
    place: {layers: [linear: 2], loss: mse, weight: 2}
    side: {layers: [linear: classes]}
"""
    tasks = loaded(text).tasks
    assert [(t.name, t.targets, t.loss.kind) for t in tasks] == [
        ("place", slice(0, 2), "mse"),
        ("side", slice(2, 3), "cross_entropy"),
    ]
    outputs, places = torch.randn(4, 4), torch.randn(4, 2)
    sides = torch.tensor([0, 1, 1, 0])
    targets = torch.cat([places, sides[:, None].float()], dim=1)
    found = weighted_sum(tasks, outputs, targets)
    expected = 2 * functional.mse_loss(outputs[:, :2], places)
    expected += functional.cross_entropy(outputs[:, 2:], sides)
    torch.testing.assert_close(found, expected)


def test_labels_are_columns_beside_other_targets() -> None:
    text = """
data:
  name: inline
  inputs: [[1, 2], [2, 1], [0, 1], [3, 3]]
  targets: {side: [0, 1, 1, 0], tags: [[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]]}
  classes: {tags: [round, red, large]}
model:
  layers: [linear: 4, tanh]
  heads:
    tags: {layers: [linear: classes], loss: {name: bce_with_logits, threshold: [0.5, 0.1, 0.9]}}
    side: {layers: [linear: classes]}
"""
    tags, side = loaded(text).tasks
    assert (tags.outputs, tags.targets) == (slice(0, 3), slice(0, 3))
    assert (side.outputs, side.targets) == (slice(3, 5), slice(3, 4))
    assert (tags.thresholds, side.thresholds) == ((0.5, 0.1, 0.9), ())
    outputs = torch.tensor([[0.1, -2, 2, 0, 1], [-0.1, -3, 3, 1, 0]])
    targets = torch.tensor([[1.0, 1, 0, 1], [0, 0, 0, 1]])
    own, labels = tags.of(outputs, targets)
    assert tags.predict(own).tolist() == [[True, True, False], [False, False, True]]
    assert torch.equal(tags.probabilities(own), outputs[:, :3].sigmoid())
    assert tags.is_right(own, labels).tolist() == [True, False]
    assert side.is_right(*side.of(outputs, targets)).tolist() == [True, False]
    expected = functional.binary_cross_entropy_with_logits(outputs[:, :3], targets[:, :3])
    expected += functional.cross_entropy(outputs[:, 3:], targets[:, 3].long())
    torch.testing.assert_close(weighted_sum((tags, side), outputs, targets), expected)


def test_label_smoothing_reaches_the_heads_that_take_it() -> None:
    tasks = loaded(f"{TWO}regularization: {{label_smoothing: 0.1}}").tasks
    assert [task.loss.options()["label_smoothing"] for task in tasks] == [0.1, 0.1]


def test_an_auxiliary_classifier_has_the_target_of_the_network_and_a_weight() -> None:
    found = loaded(ASIDE)
    assert found.plan.output == (10,)
    tasks = [(t.name, t.weight, t.outputs, t.is_auxiliary) for t in found.tasks]
    assert tasks == [("", 1.0, slice(0, 10), False), ("auxiliary1", 0.25, slice(10, 20), True)]
    outputs, targets = torch.randn(5, 20), torch.arange(5)
    expected = functional.cross_entropy(outputs[:, :10], targets)
    expected += 0.25 * functional.cross_entropy(outputs[:, 10:], targets)
    torch.testing.assert_close(weighted_sum(found.tasks, outputs, targets), expected)


def test_an_auxiliary_classifier_may_be_for_one_of_several_heads() -> None:
    layers = TRUNK.replace("relu,", "auxiliary: {layers: [flatten, linear: 10], head: digit},", 1)
    tasks = loaded(TWO.replace(TRUNK, layers)).tasks
    assert [(t.name, t.outputs, t.targets) for t in tasks][2:] == [
        ("auxiliary1", slice(12, 22), slice(1, 2))
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            TWO.replace("parity:", "paritty:"),
            "x.yaml:6:5: model.heads.paritty: digits has no target named paritty\n"
            "    did you mean parity?",
        ),
        (
            TWO.replace("[linear: classes]", "[linear: 3]"),
            "model.heads.parity.layers.0.linear: the network outputs 3 values, but the data has 2",
        ),
        (
            TWO.replace("[linear: classes], weight", "[unflatten: [8, 1, 1]], weight"),
            "outputs 8 channels of 1x1, not a vector\n    end it with linear: classes",
        ),
        (
            TWO.replace("weight: 0.5", "loss: {name: cross_entropy, reduction: sum}"),
            "some heads use the mean of their losses and some the sum",
        ),
        (
            TWO.replace("data: digits", "data: {name: digits, augment: [mixup: 0.2]}"),
            "mixup does not support several heads\n    leave it out",
        ),
        (TWO.replace("weight: 0.5", "weight: 0"), "model.heads.parity.weight"),
        (TWO.replace("weight: 0.5", "wieght: 1"), "did you mean weight?"),
        (TWO.replace("relu, flatten", "{relu: {name: heads}}, flatten"), "heads is reserved for"),
        (
            ASIDE.replace("linear: classes], weight: 0.25", "linear: 7]"),
            "model.layers.1.auxiliary.layers.1.linear: the network outputs 7 values, but the data",
        ),
        (
            ASIDE.replace("global_avg_pool, linear: classes", "relu"),
            "outputs 4 channels of 8x8, not a vector\n    end it with linear: classes",
        ),
        (
            ASIDE.replace("weight: 0.25", "head: digt"),
            "model.layers.1.auxiliary.head: no head is named digt\n    leave it out",
        ),
    ],
)
def test_what_does_not_go_together_is_reported(text: str, fault: str) -> None:
    assert fault in told(text)


def test_the_shipped_example_has_two_heads() -> None:
    file = Path(__file__).parents[2] / "configs" / "digit-and-parity.yaml"
    found = complete(parse(file.read_text(encoding="utf-8"), origin=str(file)), "x")
    assert [task.name for task in found.tasks] == ["digit", "parity"]


class NoReading(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Fails where a value is read on the host, for which a GPU would have to be waited for."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        assert func.overloadpacket.__name__ not in ("_local_scalar_dense", "nonzero", "_to_copy")
        return func(*args, **(kwargs or {}))


def test_what_the_means_divide_by_follows_from_the_targets_and_waits_for_nothing() -> None:
    tasks = loaded(f"{TWO}loss: {{name: mse}}").tasks
    digits = torch.tensor([3, 4, 9])
    targets = torch.stack([digits % 2, digits], dim=1).float()
    size = build_normalizer(tasks, device=torch.device("cpu"))
    with NoReading():  # type: ignore[no-untyped-call]
        sizes = size(targets)
    assert sizes.tolist() == [3 * 2, 3 * 10]  # type: ignore[union-attr]


def test_class_weights_are_what_the_mean_of_their_head_divides_by() -> None:
    text = TWO.replace("weight: 0.5", "loss: {name: cross_entropy, weight: [0.25, 2]}")
    digits = torch.tensor([3, 4, 9])
    targets = torch.stack([digits % 2, digits], dim=1).float()
    size = build_normalizer(loaded(text).tasks, device=torch.device("cpu"))
    assert size(targets).tolist() == [2 + 0.25 + 2, 3]  # type: ignore[union-attr]
