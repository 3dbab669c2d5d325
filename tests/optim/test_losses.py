import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn, tensor
from torch.nn import functional

from cnnctl.errors import FaultError
from cnnctl.optim.losses import Loss
from cnnctl.optim.losses.binary import BinaryLoss
from cnnctl.optim.value_criterion import as_values
from cnnctl.target import Target

DISTANCES = ["mse", "mae", "huber", "smooth_l1"]


def _value(loss: Any, outputs: list[Any], targets: list[Any]) -> float:
    return float(Loss.read(loss).build()(tensor(outputs), tensor(targets)))


def _draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


def test_the_squared_error_of_3_against_2_is_1() -> None:
    assert _value("mse", [[3.0]], [[2.0]]) == 1


def test_the_squared_error_of_two_outputs_has_the_gradient_of_half_their_sum() -> None:
    # so that a 3-4-2 network follows E = sum((y - t)^2) / 2, sample by sample
    outputs = tensor([[0.7, 0.1]], requires_grad=True)
    Loss.read("mse").build()(outputs, tensor([[0.8, 0.2]])).backward()
    assert outputs.grad is not None
    assert outputs.grad.tolist() == [pytest.approx([-0.1, -0.1], rel=1e-6)]


def test_the_absolute_error_of_3_against_5_is_2() -> None:
    assert _value("mae", [[3.0]], [[5.0]]) == 2


def test_binary_cross_entropy_of_0_9_against_1_is_0_1054() -> None:
    assert _value("bce", [[0.9]], [1]) == pytest.approx(0.1054, abs=5e-5)
    logit = math.log(0.9 / 0.1)
    assert _value("bce_with_logits", [[logit]], [1]) == pytest.approx(0.1054, abs=5e-5)


def test_cross_entropy_of_1_2_3_against_the_last_is_its_log_softmax() -> None:
    assert _value("cross_entropy", [[1.0, 2.0, 3.0]], [2]) == pytest.approx(
        -math.log(0.6652), abs=1e-4
    )


def test_nll_of_a_log_softmax_is_cross_entropy() -> None:
    outputs, targets = _draw(8, 5), torch.arange(8) % 5
    nll = Loss.read("nll").build()(outputs.log_softmax(1), targets)
    torch.testing.assert_close(nll, Loss.read("cross_entropy").build()(outputs, targets))


def test_huber_with_delta_1_is_smooth_l1() -> None:
    outputs, targets = 3 * _draw(40, 2), torch.zeros(40, 2)
    huber = Loss.read("huber").build()(outputs, targets)
    torch.testing.assert_close(huber, Loss.read("smooth_l1").build()(outputs, targets))


@pytest.mark.parametrize("name", ["huber", "smooth_l1"])
def test_huber_is_a_square_within_delta_and_a_line_outside(name: str) -> None:
    option = {"huber": {"delta": 2.0}, "smooth_l1": {"beta": 2.0}}[name]
    scale = {"huber": 1.0, "smooth_l1": 1 / 2.0}[name]
    assert _value({"name": name, **option}, [[1.0]], [[0.0]]) == 0.5 * scale
    assert _value({"name": name, **option}, [[5.0]], [[0.0]]) == 2.0 * (5 - 1) * scale


@pytest.mark.parametrize(
    ("options", "module"),
    [
        ({"label_smoothing": 0.1}, nn.CrossEntropyLoss(label_smoothing=0.1)),
        ({"weight": [1, 2.5, 0]}, nn.CrossEntropyLoss(tensor([1, 2.5, 0]))),
        ({"reduction": "sum"}, nn.CrossEntropyLoss(reduction="sum")),
    ],
)
def test_cross_entropy_has_torchs_options(options: dict[str, Any], module: nn.Module) -> None:
    outputs = _draw(6, 3)
    ours = Loss.read({"name": "cross_entropy", **options}).build()
    for targets in (tensor([0, 1, 2, 2, 1, 0]), _draw(6, 3).softmax(1)):
        assert torch.equal(ours(outputs, targets), module(outputs, targets))


def test_class_weights_move_with_the_loss() -> None:
    built = Loss.read({"name": "cross_entropy", "weight": [1, 2]}).build()
    assert [buffer.dtype for buffer in built.double().buffers()] == [torch.float64]


@pytest.mark.parametrize("name", ["bce_with_logits", *DISTANCES])
def test_the_sum_is_the_mean_times_the_count(name: str) -> None:
    outputs, targets = _draw(4, 3), tensor([0, 1, 2, 0])
    mean = Loss.read(name).build()(outputs, targets)
    total = Loss.read({"name": name, "reduction": "sum"}).build()(outputs, targets)
    torch.testing.assert_close(total, 12 * mean)


def test_pos_weight_counts_positives_more() -> None:
    plain = _value("bce_with_logits", [[0.3]], [1])
    heavy = {"name": "bce_with_logits", "pos_weight": [3]}
    assert _value(heavy, [[0.3]], [1]) == pytest.approx(3 * plain)
    assert _value(heavy, [[0.3]], [0]) == _value("bce_with_logits", [[0.3]], [0])


def test_classes_become_one_hot_for_losses_between_numbers() -> None:
    outputs, classes = _draw(3, 4), tensor([1, 3, 0])
    expected = functional.mse_loss(outputs, functional.one_hot(classes, 4).float())
    assert torch.equal(Loss.read("mse").build()(outputs, classes), expected)


def test_two_classes_become_0_and_1_for_one_output() -> None:
    outputs, classes = _draw(3, 1), tensor([1, 0, 1])
    expected = functional.binary_cross_entropy_with_logits(outputs[:, 0], classes.float())
    assert torch.equal(Loss.read("bce_with_logits").build()(outputs, classes), expected)


def test_mixed_targets_keep_their_shares() -> None:
    mixed = tensor([[0.3, 0.7], [1.0, 0.0]])
    assert torch.equal(as_values(mixed, like=torch.zeros(2, 2)), mixed)
    assert torch.equal(as_values(mixed, like=torch.zeros(2, 1)), tensor([[0.7], [0.0]]))


def test_targets_take_the_precision_of_the_outputs() -> None:
    half = torch.zeros(2, 3, dtype=torch.bfloat16)
    assert as_values(tensor([0, 2]), like=half).dtype == torch.bfloat16


OUTPUTS = {
    "cross_entropy": tensor([[1.0, 2.0, 3.0]]),
    "focal": tensor([[1.0, 2.0, 3.0]]),
    "nll": tensor([[1.0, 2.0, 3.0]]).log_softmax(1),
    "bce": tensor([[0.0900, 0.2447, 0.6652]]),
    "bce_with_logits": tensor([[0.0900, 0.2447, 0.6652]]).logit(),
    "mse": tensor([[0.0900, 0.2447, 0.6652]]),
}


@pytest.mark.parametrize("name", sorted(OUTPUTS))
def test_probabilities_are_what_the_outputs_stand_for(name: str) -> None:
    found = Loss.read(name).probabilities(OUTPUTS[name])
    assert found[0].tolist() == pytest.approx([0.0900, 0.2447, 0.6652], abs=5e-5)
    assert Loss.read(name).predict(OUTPUTS[name]).tolist() == [2]


@pytest.mark.parametrize(
    ("name", "outputs"),
    [("bce", [0.2, 0.8]), ("bce_with_logits", [-1.4, 1.4]), ("mse", [-0.1, 1.3])],
)
def test_one_output_is_the_second_class_above_the_middle(name: str, outputs: list[float]) -> None:
    loss, column = Loss.read(name), tensor(outputs)[:, None]
    found = loss.probabilities(column)
    assert found.shape == (2, 2)
    assert torch.allclose(found.sum(1), torch.ones(2))
    assert loss.predict(column).tolist() == [0, 1]


@pytest.mark.parametrize("name", sorted(Loss.kinds))
def test_every_loss_accepts_an_output_for_each_class(name: str) -> None:
    hold(name, (10,), 10)


@pytest.mark.parametrize("name", ["bce", "bce_with_logits", *DISTANCES])
def test_one_output_does_for_two_classes(name: str) -> None:
    hold(name, (1,), 2)


@pytest.mark.parametrize("name", DISTANCES)
def test_distances_accept_regression(name: str) -> None:
    hold(name, (3,), 3, regression=True)


def hold(loss: Any, output: tuple[int, ...], classes: int, *, regression: bool = False) -> None:
    """Hold a loss against what a network gives and the data, as an experiment's check does."""
    spec = Loss.read(loss)
    names = () if regression else tuple(map(str, range(classes)))
    target = Target("target", names, classes)
    spec.check_target(target)
    spec.check_output(output, target)
    spec.check(target, output=output)


def _fault(loss: Any, output: tuple[int, ...], classes: int, *, regression: bool = False) -> Any:
    with pytest.raises(FaultError) as caught:
        hold(loss, output, classes, regression=regression)
    (fault,) = caught.value.faults
    return fault


@pytest.mark.parametrize("name", sorted(Loss.kinds))
def test_a_wrong_number_of_outputs_is_a_fault(name: str) -> None:
    fault = _fault(name, (12,), 10)
    assert fault.message == "the network outputs 12 values, but the data has 10 classes"
    assert fault.hint == "end the network with linear: classes"


@pytest.mark.parametrize("name", ["cross_entropy", "focal", "nll"])
def test_one_output_does_not_do_for_a_distribution(name: str) -> None:
    assert "data has 2 classes" in _fault(name, (1,), 2).message


@pytest.mark.parametrize("name", sorted(Loss.kinds))
def test_pixels_are_no_output(name: str) -> None:
    fault = _fault(name, (16, 5, 5), 10)
    assert fault.message == f"{name} needs a vector, but the network outputs 16x5x5"
    assert fault.hint == "end the network with flatten and linear: classes"


@pytest.mark.parametrize("name", ["cross_entropy", "focal", "nll", "bce", "bce_with_logits"])
def test_a_loss_for_classes_refuses_regression(name: str) -> None:
    assert _fault(name, (1,), 1, regression=True).hint == "use mse, mae, huber or smooth_l1"


TAGS = Target("tags", ("a", "b", "c"), 3, is_multilabel=True)
BINARY = ["bce", "bce_with_logits"]


@pytest.mark.parametrize("name", sorted(Loss.kinds.keys() - BINARY))
def test_other_losses_refuse_several_labels_at_once(name: str) -> None:
    with pytest.raises(FaultError, match="but the data has several labels per sample") as caught:
        Loss.read(name).check_target(TAGS)
    assert caught.value.faults[0].hint == "use bce or bce_with_logits"


@pytest.mark.parametrize("name", BINARY)
def test_binary_losses_take_labels(name: str) -> None:
    loss = Loss.read(name)
    loss.check_target(TAGS)
    loss.check_output((3,), TAGS)
    with pytest.raises(FaultError, match="outputs 1 values, but the data has 3 labels") as caught:
        loss.check_output((1,), TAGS)
    assert caught.value.faults[0].hint == "end the network with linear: classes"


def test_the_loss_of_labels_is_the_mean_of_all_their_losses() -> None:
    outputs, labels = _draw(4, 3), (_draw(4, 3) > 0).float()
    expected = functional.binary_cross_entropy_with_logits(outputs, labels)
    assert torch.equal(Loss.read("bce_with_logits").build()(outputs, labels), expected)
    torch.testing.assert_close(Loss.read("bce").build()(outputs.sigmoid(), labels), expected)


def test_positives_of_each_label_have_their_weight() -> None:
    outputs, labels = _draw(4, 3), (_draw(4, 3) > 0).float()
    weight = [1.0, 2.0, 0.5]
    found = Loss.read({"name": "bce_with_logits", "pos_weight": weight}).build()(outputs, labels)
    expected = functional.binary_cross_entropy_with_logits(
        outputs, labels, pos_weight=tensor(weight)
    )
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("threshold", "predicted"),
    [
        ("auto", [[False, False, True]]),
        (0.8, [[False, False, False]]),
        ([0.1, 0.5, 0.9], [[True, False, False]]),
    ],
)
def test_a_label_is_predicted_above_its_threshold(threshold: Any, predicted: Any) -> None:
    loss = Loss.read({"name": "bce", "threshold": threshold})
    assert isinstance(loss, BinaryLoss)
    loss.check(TAGS, output=(3,))
    assert loss.predict_labels(tensor([[0.2, 0.5, 0.7]])).tolist() == predicted


def test_thresholds_that_fit_no_label_are_a_fault() -> None:
    with pytest.raises(FaultError, match="has 2 numbers, but 3 are needed") as caught:
        Loss.read({"name": "bce", "threshold": [0.1, 0.2]}).check(TAGS, output=(3,))
    assert caught.value.faults[0].hint == "give one number per label"
    fault = _fault({"name": "bce_with_logits", "threshold": 0.5}, (2,), 2)
    assert (fault.path, fault.hint) == (("threshold",), "remove it")
    assert fault.message == "is for labels, but the data has classes"


def test_a_wrong_number_of_values_is_a_fault() -> None:
    fault = _fault("mse", (2,), 1, regression=True)
    assert fault.message == "the network outputs 2 values, but the data has 1 target value"
    assert fault.hint == "end the network with linear: 1"


@pytest.mark.parametrize(
    ("loss", "output", "path"),
    [
        ({"name": "cross_entropy", "weight": [1, 2]}, 3, ("weight",)),
        ({"name": "nll", "weight": [1, 2]}, 3, ("weight",)),
        (
            {"name": "focal", "weight": {"effective_number": 0.9, "counts": [1, 2]}},
            3,
            ("weight", "counts"),
        ),
        ({"name": "bce_with_logits", "pos_weight": [1, 2]}, 3, ("pos_weight",)),
    ],
)
def test_weights_of_the_wrong_length_are_a_fault(loss: Any, output: int, path: Any) -> None:
    fault = _fault(loss, (output,), output)
    assert fault.path == path
    assert fault.message == "has 2 numbers, but 3 are needed"


@pytest.mark.parametrize(
    "loss",
    [
        {"name": "huber", "delta": 0},
        {"name": "smooth_l1", "beta": -1},
        {"name": "cross_entropy", "label_smoothing": 1.1},
        {"name": "cross_entropy", "weight": [-1, 1]},
        {"name": "cross_entropy", "weight": "auto"},
        {"name": "cross_entropy", "weight": {"effective_number": 1}},
        {"name": "cross_entropy", "weight": {"effective_number": 0.9, "counts": [3, 0]}},
        {"name": "focal", "gamma": -1},
        {"name": "mse", "reduction": "none"},
        {"name": "mse", "weight": [1, 1]},
        {"name": "bce", "threshold": 1.5},
        {"name": "bce", "threshold": "best"},
    ],
)
def test_nonsense_is_refused(loss: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Loss.read(loss)
