from inspect import signature
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn, optim
from torch.nn import functional

from cnnctl.config.choice import Spec
from cnnctl.config.source import parse
from cnnctl.config.validation import validate
from cnnctl.errors import FaultError
from cnnctl.optim.optimizers import Optimizer

TORCHS: dict[str, Any] = {
    name.lower(): member for name, member in vars(optim).items() if isinstance(member, type)
}
"""The classes of torch.optim, by the names that kinds have."""
KINDS = sorted(Optimizer.kinds)
CASES: list[dict[str, Any]] = [
    *({"name": kind} for kind in KINDS if kind in TORCHS and kind != "muon"),
    {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    {"name": "sgd", "lr": 0.1, "momentum": 0.9, "dampening": 0.5},
    {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True},
    {"name": "adagrad", "lr_decay": 0.1, "initial_accumulator_value": 0.5},
    {"name": "adadelta", "rho": 0.5, "eps": 1e-4, "weight_decay": 0.1},
    {"name": "rmsprop", "alpha": 0.9, "momentum": 0.9, "centered": True},
    {"name": "adam", "betas": (0.5, 0.9), "amsgrad": True, "eps": 1e-4},
    {"name": "adam", "weight_decay": 0.1, "decoupled_weight_decay": True},
    {"name": "adamw", "weight_decay": 0.2, "amsgrad": True},
    {"name": "nadam", "momentum_decay": 0.1, "decoupled_weight_decay": True},
    {"name": "radam", "weight_decay": 0.1, "decoupled_weight_decay": True},
    {"name": "asgd", "lambd": 0.01, "alpha": 0.5, "t0": 3, "weight_decay": 0.1},
    {"name": "lbfgs", "max_iter": 3, "line_search_fn": "strong_wolfe"},
]


class Problem:
    """A small network on fixed data; made twice it is the same."""

    def __init__(self) -> None:
        random = torch.Generator().manual_seed(0)
        self.inputs = torch.randn(16, 3, generator=random)
        self.targets = torch.randn(16, 2, generator=random)
        self.network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
        for parameter in self.network.parameters():
            nn.init.normal_(parameter, generator=random)

    def loss(self) -> Tensor:
        return functional.mse_loss(self.network(self.inputs), self.targets)

    def take_steps(self, optimizer: optim.Optimizer, count: int) -> list[float]:
        def closure() -> float:
            optimizer.zero_grad()
            loss = self.loss()
            torch.autograd.backward(loss)
            return loss.item()

        with torch.no_grad():  # so a step has to switch gradients on by itself
            return [optimizer.step(closure) for _ in range(count)]

    def weights(self) -> list[Tensor]:
        return [parameter.detach() for parameter in self.network.parameters()]


@pytest.mark.parametrize("options", CASES, ids=str)
def test_ten_steps_are_torchs_to_the_bit(options: dict[str, Any]) -> None:
    ours, theirs = Problem(), Problem()
    groups = [{"params": list(ours.network.parameters())}]
    optimizer = Optimizer.read(options).build(groups, fused=False)
    arguments = {name: value for name, value in options.items() if name != "name"}
    torchs = TORCHS[options["name"]](theirs.network.parameters(), **arguments)
    expected = theirs.take_steps(torchs, 10)
    assert ours.take_steps(optimizer, 10) == expected
    assert all(map(torch.equal, ours.weights(), theirs.weights()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_returns_the_loss_that_its_closure_found(kind: str) -> None:
    problem = Problem()
    before = problem.loss().item()
    groups = [{"params": list(problem.network.parameters())}]
    losses = problem.take_steps(Optimizer.read(kind).build(groups, fused=False), 20)
    assert losses[0] == before
    assert problem.loss().item() < before


@pytest.mark.parametrize("kind", KINDS)
def test_the_fused_form_is_used_where_there_is_one(kind: str) -> None:
    built = Optimizer.read(kind).build([{"params": [torch.zeros(1)]}], fused=True)
    has_one = "fused" in signature(type(built)).parameters
    assert built.param_groups[0].get("fused", False) is has_one


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_built_with_fused(kind: str) -> None:
    assert Optimizer.read(kind).build([{"params": [torch.zeros(1)]}], fused=True)


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_are_torchs(kind: str) -> None:
    spec = Optimizer.read(kind)
    built = spec.build([{"params": [torch.zeros(1)]}], fused=False)
    theirs: Any = type(built)
    expected = theirs([torch.zeros(1)]).defaults
    assert {name: expected[name] for name in spec.arguments()} == {
        **spec.arguments(),
        **({"max_eval": 25} if kind == "lbfgs" else {}),  # torch fills it in: 1.25 * 20
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_usual_rates_hold_torchs_default(kind: str) -> None:
    spec = Optimizer.read(kind)
    low, high = spec.usual_lr
    assert low <= spec.lr <= high


def test_momentum_is_an_exponential_average() -> None:
    # with a dampening of 1 - m the velocity is v = m v + (1 - m) g, after v = g in the first step
    gradients = [1.0, 3.0, -2.0, 0.5]
    momentum, lr = 0.9, 0.1
    spec = Optimizer.read({"name": "sgd", "lr": lr, "momentum": momentum, "dampening": 0.1})
    weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = spec.build([{"params": [weight]}], fused=False)
    velocity, expected = gradients[0], 0.0
    for step, gradient in enumerate(gradients):
        if step:
            velocity = momentum * velocity + 0.9 * gradient
        expected -= lr * velocity
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        assert weight.item() == pytest.approx(expected, rel=1e-12)


class Experiment(Spec):
    """As much of an experiment as an optimizer needs."""

    optimizer: Optimizer


def _fault(text: str) -> str:
    with pytest.raises(FaultError) as caught:
        validate(Experiment, parse(text, origin="test.yaml"))
    return str(caught.value)


@pytest.mark.parametrize(
    "options", ["nesterov: true", "nesterov: true, momentum: 0.9, dampening: 0.1"]
)
def test_nesterov_without_momentum_is_a_fault_at_its_place(options: str) -> None:
    fault = _fault(f"optimizer: {{name: sgd, {options}}}")
    assert fault.startswith("optimizer.nesterov: nesterov needs momentum")
    assert "add momentum: 0.9" in fault


@pytest.mark.parametrize(
    "options",
    [
        {"name": "sgd", "lr": 0},
        {"name": "sgd", "lr": -0.1},
        {"name": "sgd", "lr": float("inf")},
        {"name": "sgd", "lr": "0.1"},
        {"name": "sgd", "lr": True},
        {"name": "sgd", "momentum": 1.0},
        {"name": "sgd", "weight_decay": -1},
        {"name": "adam", "betas": [0.9, 1.0]},
        {"name": "adam", "betas": [0.9]},
        {"name": "adam", "momentum": 0.9},
        {"name": "lbfgs", "line_search_fn": "armijo"},
        {"name": "lbfgs", "max_iter": 0},
    ],
)
def test_nonsense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Optimizer.read(options)


def test_betas_are_read_from_a_list() -> None:
    assert Optimizer.read({"name": "adam", "betas": [0.5, 0.9]}).options()["betas"] == [0.5, 0.9]


def test_lbfgs_takes_one_group_only() -> None:
    groups: list[dict[str, Any]] = [
        {"params": [torch.zeros(1)]},
        {"params": [torch.zeros(1)], "lr": 0.1},
    ]
    with pytest.raises(FaultError, match="not in 2 groups"):
        Optimizer.read("lbfgs").build(groups, fused=False)
