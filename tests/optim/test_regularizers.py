import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn, optim

from cnnctl.errors import FaultError
from cnnctl.optim.averages import MovingAverage, ema_decay
from cnnctl.optim.groups import build_optimizer, parameter_groups
from cnnctl.optim.losses import Loss
from cnnctl.optim.optimizers import Optimizer
from cnnctl.optim.optimizers.momentum import SGD
from cnnctl.optim.regularizers import (
    EarlyStopper,
    Ema,
    Regularization,
    clip_,
    penalized,
    penalty,
)


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.LayerNorm([4, 4, 4]),
        nn.PReLU(4),
        nn.Flatten(),
        nn.Linear(64, 3),
    )


def _names(network: nn.Module, parameters: Sequence[Tensor]) -> list[str]:
    ids = set(map(id, parameters))
    return [name for name, parameter in network.named_parameters() if id(parameter) in ids]


def test_biases_and_norms_are_left_alone() -> None:
    network = _network()
    assert _names(network, penalized(network, "weights")) == ["0.weight", "5.weight"]


def test_all_means_all_that_is_trained() -> None:
    network = _network()
    network[0].requires_grad_(False)
    assert len(penalized(network, "all")) == len(list(network.parameters())) - 2
    assert _names(network, penalized(network, "weights")) == ["5.weight"]


def test_a_shared_weight_is_penalized_once() -> None:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    assert len(penalized(nn.Sequential(first, second), "weights")) == 1


def test_the_penalty_is_the_sum_by_hand() -> None:
    weights = [torch.tensor([[1.0, -2.0]]), torch.tensor([3.0])]
    found = penalty(weights, l1=0.1, l2=0.01)
    assert float(found) == pytest.approx(0.1 * 6 + 0.01 / 2 * 14)


def test_the_gradient_of_l2_is_that_of_weight_decay() -> None:
    network = _network().to(memory_format=torch.channels_last)
    weights = penalized(network, "weights")
    torch.autograd.backward(penalty(weights, l1=0.0, l2=0.3))
    for weight in weights:
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, 0.3 * weight.detach())
    others = set(network.parameters()) - set(weights)
    assert all(parameter.grad is None for parameter in others)


def test_the_gradient_of_l1_is_the_sign() -> None:
    weight = torch.tensor([-2.0, 0.0, 5.0], requires_grad=True)
    torch.autograd.backward(penalty([weight], l1=0.3, l2=0.0))
    assert weight.grad is not None
    assert weight.grad.tolist() == pytest.approx([-0.3, 0.0, 0.3])


def _after_steps(network: nn.Module, optimizer: optim.Optimizer, l2: float) -> list[Tensor]:
    inputs = torch.randn(4, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    for _ in range(3):
        loss = network(inputs).square().mean()
        if l2:
            loss = loss + penalty(penalized(network, "weights"), l1=0.0, l2=l2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [parameter.detach() for parameter in network.parameters()]


def test_l2_and_weight_decay_of_one_number_lead_to_the_same_weights() -> None:
    spec = Optimizer.read({"name": "sgd", "lr": 0.1, "momentum": 0.9})
    results = []
    for l2, weight_decay in ((0.2, 0.0), (0.0, 0.2)):
        network = _network()
        groups = parameter_groups(network, spec, weight_decay=weight_decay)
        results.append(_after_steps(network, build_optimizer(groups, fused=False), l2))
    for left, right in zip(*results, strict=True):
        torch.testing.assert_close(left, right)


def test_weight_decay_makes_two_groups_with_every_parameter_once() -> None:
    network = _network()
    decayed, others = parameter_groups(network, SGD(), weight_decay=0.2)
    assert (decayed.settings, others.settings) == ({"weight_decay": 0.2}, {"weight_decay": 0.0})
    together = [*decayed.parameters, *others.parameters]
    assert sorted(map(id, together)) == sorted(map(id, network.parameters()))
    assert _names(network, decayed.parameters) == ["0.weight", "5.weight"]


def test_without_weight_decay_there_is_one_group_for_the_optimizers_own() -> None:
    (group,) = parameter_groups(_network(), SGD())
    assert group.settings == {}
    assert len(group.parameters) == 9


def test_a_group_without_parameters_is_left_out() -> None:
    (group,) = parameter_groups(_network(), SGD(), weight_decay=0.1, penalize="all")
    assert group.settings == {"weight_decay": 0.1}


def test_gradients_are_bounded_together_and_one_by_one() -> None:
    first, second = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    for norm, value, expected in (
        (1.0, None, [0.6, 0.8]),
        (None, 3.5, [3.0, 3.5]),
        (None, None, [3.0, 4.0]),
        (50.0, None, [3.0, 4.0]),
    ):
        first.grad, second.grad = torch.tensor([3.0]), torch.tensor([4.0])
        clip_([first, second], norm=norm, value=value)
        assert [first.grad.item(), second.grad.item()] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("warmup", [True, False])
def test_the_average_follows_its_formula(warmup: bool) -> None:
    network = nn.Linear(2, 1, bias=False).double()
    average = MovingAverage(network, decay=0.9, warmup=warmup)
    expected = network.weight.detach().clone()
    for step in range(100):
        with torch.no_grad():
            network.weight += 0.1
        decay = min(0.9, (1 + step) / (10 + step)) if warmup else 0.9
        expected = decay * expected + (1 - decay) * network.weight.detach()
        average.update(step=step)
    torch.testing.assert_close(average.network.get_parameter("weight").detach(), expected)


def test_the_warm_up_of_the_average_ends_at_its_decay() -> None:
    assert ema_decay(0, decay=0.99, warmup=True) == 0.1
    assert ema_decay(890, decay=0.99, warmup=True) == pytest.approx(0.99)
    assert ema_decay(10**6, decay=0.99, warmup=True) == 0.99


def test_the_average_has_the_statistics_of_the_network() -> None:
    network = nn.Sequential(nn.BatchNorm1d(2))
    average = MovingAverage(network, decay=0.9, warmup=True)
    network(torch.randn(8, 2))
    average.update(step=0)
    for name, buffer in network.named_buffers():
        assert torch.equal(average.network.get_buffer(name), buffer)


def test_the_average_is_apart_from_the_network() -> None:
    network = _network()
    average = MovingAverage(network, decay=0.9, warmup=True)
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())


def _move(network: nn.Module) -> None:
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(0.9).add_(0.01)


def test_a_restored_average_goes_on_to_the_same_bits() -> None:
    network = _network()
    whole = MovingAverage(network, decay=0.99, warmup=True)
    for step in range(5):
        _move(network)
        whole.update(step=step)
    restored = MovingAverage(network, decay=0.99, warmup=True)
    restored.network.load_state_dict(whole.network.state_dict())
    for step in range(5, 9):
        _move(network)
        whole.update(step=step)
        restored.update(step=step)
    left, right = whole.network.state_dict(), restored.network.state_dict()
    assert all(torch.equal(left[name], right[name]) for name in left)


def _stops_after(metrics: list[float], **options: Any) -> int | None:
    patience = EarlyStopper(**{"patience": 2, "min_delta": 0.0, "more_is_better": False, **options})
    return next((i for i, metric in enumerate(metrics, 1) if patience.end_epoch(metric)), None)


def test_training_stops_after_that_many_epochs_without_an_improvement() -> None:
    assert _stops_after([3, 2, 2, 1, 1, 1, 0]) == 6
    assert _stops_after([3, 2, 1, 0]) is None
    assert _stops_after([1, 2, 3, 3, 3], more_is_better=True) == 5
    assert _stops_after([3, 2.9, 2.8, 2.7], min_delta=0.5) == 3


def test_what_is_not_a_number_is_no_improvement() -> None:
    assert _stops_after([math.nan, math.nan]) == 2
    assert _stops_after([1.0, math.nan, 0.5, 0.6, 0.4]) is None


@settings(max_examples=30, deadline=None)
@given(metrics=st.lists(st.floats(0, 3)), at=st.integers(0, 10))
def test_a_resumed_patience_goes_on_as_if_never_stopped(metrics: list[float], at: int) -> None:
    def fresh() -> EarlyStopper:
        return EarlyStopper(patience=3, min_delta=0.1, more_is_better=False)

    whole, first, second = fresh(), fresh(), fresh()
    expected = [whole.end_epoch(metric) for metric in metrics]
    found = [first.end_epoch(metric) for metric in metrics[:at]]
    second.load_state_dict(json.loads(json.dumps(first.state_dict(), allow_nan=False)))
    assert found + [second.end_epoch(metric) for metric in metrics[at:]] == expected


def _faults(options: dict[str, Any], optimizer: Any = "sgd", loss: Any = "cross_entropy") -> Any:
    spec = Regularization.model_validate(options)
    with pytest.raises(FaultError) as caught:
        spec.check(optimizer=Optimizer.read(optimizer), loss=Loss.read(loss))
    assert all(fault.hint for fault in caught.value.faults)
    return [(*fault.path, fault.message) for fault in caught.value.faults]


def test_weight_decay_in_two_places_is_a_fault() -> None:
    twice = _faults({"weight_decay": 0.1}, {"name": "sgd", "weight_decay": 0.2})
    assert twice == [("weight_decay", "sgd already has a weight decay of 0.2")]
    assert _faults({"weight_decay": 0.1}, "adamw")
    assert _faults({"weight_decay": 0.1}, "lbfgs") == [
        ("weight_decay", "lbfgs has no weight decay")
    ]


def test_label_smoothing_where_it_cannot_be_is_a_fault() -> None:
    assert _faults({"label_smoothing": 0.1}, loss="mse") == [
        ("label_smoothing", "mse does not support label smoothing")
    ]
    twice = _faults({"label_smoothing": 0.1}, loss={"name": "cross_entropy", "label_smoothing": 1})
    assert twice == [("label_smoothing", "cross_entropy already has label smoothing")]


def test_all_faults_are_reported_at_once() -> None:
    assert len(_faults({"label_smoothing": 0.1, "weight_decay": 0.1}, "lbfgs", "mse")) == 2


def test_what_goes_together_is_no_fault() -> None:
    spec = Regularization.model_validate({"weight_decay": 0.1, "label_smoothing": 0.1})
    spec.check(optimizer=Optimizer.read("sgd"), loss=Loss.read("cross_entropy"))


def test_label_smoothing_goes_into_the_loss() -> None:
    spec = Regularization.model_validate({"label_smoothing": 0.1})
    wanted = Loss.read({"name": "cross_entropy", "label_smoothing": 0.1})
    assert spec.smoothed(Loss.read("cross_entropy")) == wanted
    assert Regularization().smoothed(wanted) == wanted


def test_numbers_alone_are_short_forms() -> None:
    spec = Regularization.model_validate({"early_stopping": 5, "ema": 0.99})
    assert spec.early_stopping
    assert spec.early_stopping.patience == 5
    assert spec.ema == Ema(decay=0.99)


@pytest.mark.parametrize(
    "options",
    [
        {"l1": -1},
        {"label_smoothing": 1.5},
        {"clip_norm": 0},
        {"penalize": "biases"},
        {"early_stopping": 0},
        {"early_stopping": True},
        {"ema": 1.0},
        {"ema": "0.9"},
    ],
)
def test_nonsense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Regularization.model_validate(options)
