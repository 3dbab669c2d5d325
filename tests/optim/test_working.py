"""The terms that kinds give of their steps and losses, compared with what torch computes."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from cnnctl.optim.losses import Loss
from cnnctl.optim.optimizers import Optimizer
from cnnctl.optim.working import Update

CASES: list[dict[str, Any]] = [
    *({"name": kind} for kind in sorted(Optimizer.kinds) if kind != "lbfgs"),
    {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    {"name": "sgd", "lr": 0.1, "momentum": 0.9, "dampening": 0.5},
    {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True},
    {"name": "adagrad", "lr_decay": 0.1, "initial_accumulator_value": 0.5, "weight_decay": 0.1},
    {"name": "adadelta", "rho": 0.5, "eps": 1e-4, "weight_decay": 0.1},
    {"name": "rmsprop", "alpha": 0.9, "momentum": 0.9, "centered": True, "weight_decay": 0.1},
    {"name": "adam", "betas": (0.5, 0.9), "amsgrad": True, "eps": 1e-4, "weight_decay": 0.1},
    {"name": "adam", "weight_decay": 0.1, "decoupled_weight_decay": True},
    {"name": "adamw", "weight_decay": 0.2, "amsgrad": True},
    {"name": "adamax", "weight_decay": 0.2},
    {"name": "nadam", "momentum_decay": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True},
    {"name": "nadam", "weight_decay": 0.1},
    {"name": "radam", "weight_decay": 0.1, "decoupled_weight_decay": True},
    {"name": "radam", "betas": (0.9, 0.9), "weight_decay": 0.1},
    {"name": "asgd", "lambd": 0.01, "alpha": 0.5, "t0": 3, "weight_decay": 0.1},
    {"name": "lion", "weight_decay": 0.1},
]


def gradient_of(step: int) -> Tensor:
    return torch.randn(3, 2, generator=torch.Generator().manual_seed(step))


@pytest.mark.parametrize("options", CASES, ids=str)
def test_the_last_term_is_the_weight_that_torch_computes(options: dict[str, Any]) -> None:
    kind = Optimizer.read(options)
    weight = torch.randn(3, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    built = kind.build([{"params": [weight]}], fused=False)
    for step in range(12):
        weight.grad = gradient_of(step + 1)
        known = {key: torch.as_tensor(kept).clone() for key, kept in built.state[weight].items()}
        settings = {**built.param_groups[0], "lr": kind.lr}
        update = Update(weight.detach().clone(), weight.grad.clone(), settings, known)
        kind.work(update)
        built.step(lambda: 0.0)
        assert update.terms[-1].symbol == "W"
        torch.testing.assert_close(update.terms[-1].value, weight.detach(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "lion", "adagrad", "adadelta"])
def test_terms_with_the_name_of_a_state_are_that_state(name: str) -> None:
    kept = {
        "sgd": {"v": "momentum_buffer"},
        "rmsprop": {"v": "square_avg", "b": "momentum_buffer", "m": "grad_avg"},
        "lion": {"m": "exp_avg"},
        "adagrad": {"s": "sum"},
        "adadelta": {"v": "square_avg", "u": "acc_delta"},
    }[name]
    more: dict[str, Any] = {
        "sgd": {"momentum": 0.9},
        "rmsprop": {"momentum": 0.5, "centered": True},
    }.get(name, {})
    kind = Optimizer.read({"name": name, **more})
    weight = torch.ones(3, 2).requires_grad_()
    built = kind.build([{"params": [weight]}], fused=False)
    for step in range(3):
        weight.grad = gradient_of(step)
        known = {key: torch.as_tensor(each).clone() for key, each in built.state[weight].items()}
        update = Update(weight.detach().clone(), weight.grad.clone(), built.param_groups[0], known)
        kind.work(update)
        built.step(lambda: 0.0)
        found = {term.symbol: term.value for term in update.terms}
        for symbol, state in kept.items():
            torch.testing.assert_close(found[symbol], built.state[weight][state])


def test_the_formulas_have_the_numbers_of_the_options() -> None:
    kind = Optimizer.read({"name": "adam", "lr": 0.5, "weight_decay": 0.1})
    settings = {"lr": 0.5, "betas": (0.9, 0.99), "weight_decay": 0.1}
    update = Update(torch.ones(1), torch.ones(1), settings, {"step": torch.tensor(2.0)})
    kind.work(update)
    assert [f"{term.symbol} = {term.formula}" for term in update.terms] == [
        "g = dW + 0.1 W",
        "m = 0.9 m + 0.1 g",
        "v = 0.99 v + 0.01 g²",
        "m̂ = m / (1 - 0.9^3)",
        "v̂ = v / (1 - 0.99^3)",
        "W = W - 0.5 m̂ / (√v̂ + 1e-08)",
    ]


LOSSES: list[tuple[Any, list[float], Any]] = [
    ("mse", [0.6030, 0.4987], [0.8, 0.2]),
    ({"name": "mse", "reduction": "sum"}, [0.6030, 0.4987], [0.8, 0.2]),
    ("mae", [0.5, -1.0], [0.8, 0.2]),
    ({"name": "huber", "delta": 0.5}, [0.5, -1.0], [0.8, 0.2]),
    ({"name": "smooth_l1", "beta": 0.5}, [0.5, -1.0], [0.8, 0.2]),
    ({"name": "smooth_l1", "beta": 0.0}, [0.5, -1.0], [0.8, 0.2]),
    ("mse", [0.5, -1.0, 2.0], 1),
    ("cross_entropy", [1.0, 2.0, 3.0], 2),
    ("cross_entropy", [1.0, 2.0, 3.0], [0.2, 0.3, 0.5]),
    ({"name": "cross_entropy", "label_smoothing": 0.1}, [1.0, 2.0, 3.0], 0),
    (
        {"name": "cross_entropy", "label_smoothing": 0.1, "weight": [1.0, 2.0, 0.5]},
        [1.0, 2.0, 3.0],
        1,
    ),
    (
        {"name": "cross_entropy", "label_smoothing": 0.1, "weight": [1.0, 2.0, 0.5]},
        [1.0, 2.0, 3.0],
        [0.2, 0.3, 0.5],
    ),
    ({"name": "cross_entropy", "reduction": "sum", "weight": [1.0, 2.0]}, [1.0, 2.0], 1),
    ("focal", [1.0, 2.0, 3.0], 1),
    ({"name": "focal", "weight": [1.0, 2.0, 0.5]}, [1.0, 2.0, 3.0], 1),
    ({"name": "focal", "weight": [1.0, 2.0, 0.5]}, [1.0, 2.0, 3.0], [0.2, 0.3, 0.5]),
    ("nll", [-1.0, -0.5], 1),
    ({"name": "nll", "weight": [3.0, 2.0]}, [-1.0, -0.5], 0),
    ("bce", [0.9, 0.2], [1.0, 0.0]),
    ("bce", [0.9, 0.2], [0.75, 0.25]),
    ("bce", [0.9], 1),
    ("bce", [1.0, 0.0], [0.0, 1.0]),
    ("bce_with_logits", [1.5, -2.0, 0.1], [1.0, 0.0, 0.5]),
    ("bce_with_logits", [20.0, -20.0], [0.0, 1.0]),
    ({"name": "bce_with_logits", "pos_weight": [2.0, 3.0, 0.5]}, [1.5, -2.0, 0.1], [1.0, 1.0, 0.5]),
]


def logarithm(number: float) -> float:
    """At least -100, as torch takes it in BCELoss."""
    return max(math.log(number), -100.0) if number > 0 else -100.0


def evaluated(formula: str, numbers: tuple[float, ...]) -> float:
    """A part of a loss, computed from its text."""
    text = formula.replace("²", "**2").replace("·", "*").replace("^", "**")
    text = text.replace("|{}|", "abs({})").replace("ln {}", "log({})").replace("ln(", "log(")
    names = {"abs": abs, "log": logarithm}
    return float(eval(text.format(*(f"({number!r})" for number in numbers)), names))


@pytest.mark.parametrize(("loss", "outputs", "target"), LOSSES, ids=str)
def test_the_parts_of_a_loss_add_up_to_it(loss: Any, outputs: list[float], target: Any) -> None:
    kind = Loss.read(loss)
    given = torch.tensor([outputs])
    targets = torch.tensor([target])
    working = kind.work(given, targets)
    expected = float(kind.build()(given, targets))
    values = [part.value for part in working.parts]
    assert sum(values) / working.divisor == pytest.approx(expected, abs=1e-6)
    computed = [evaluated(part.formula, part.numbers) for part in working.parts]
    assert computed == pytest.approx(values, rel=1e-5)
    assert working.formula


def test_every_loss_is_worked() -> None:
    named = {loss if isinstance(loss, str) else loss["name"] for loss, _, _ in LOSSES}
    assert named == set(Loss.kinds)
