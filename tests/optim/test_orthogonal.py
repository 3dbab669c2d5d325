"""Muon: compared with torch's on matrices, with the published script on filters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

from cnnctl.config.source import parse
from cnnctl.config.validation import validate
from cnnctl.errors import FaultError
from cnnctl.experiment import Experiment
from cnnctl.optim.groups import build_optimizer, parameter_groups
from cnnctl.optim.optimizers import Optimizer
from cnnctl.optim.optimizers.orthogonal import orthogonalized
from cnnctl.optim.schedulers import Schedule, Scheduler


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def after_steps(weight: Tensor, built: optim.Optimizer, steps: int = 5) -> Tensor:
    for step in range(steps):
        weight.grad = draw(*weight.shape, seed=step + 1).to(weight.dtype)
        built.step(lambda: 0.0)
    return weight.detach()


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)], ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.6, "nesterov": False, "weight_decay": 0.1},
        {"adjust_lr_fn": "match_rms_adamw", "ns_steps": 3, "eps": 1e-3},
        {"adjust_lr_fn": "spectral_unclamped", "lr": 0.3},
    ],
    ids=str,
)
def test_matrices_move_as_torchs_muon_moves_them(
    shape: tuple[int, int], options: dict[str, Any]
) -> None:
    ours, theirs = (draw(*shape).requires_grad_() for _ in range(2))
    built = Optimizer.read({"name": "muon", **options}).build([{"params": [ours]}], fused=False)
    torchs = optim.Muon([theirs], **{"lr": 0.02, "weight_decay": 0.0, **options})
    # torch's iteration is in bf16, which has three digits
    expected = after_steps(theirs, torchs)
    torch.testing.assert_close(after_steps(ours, built), expected, rtol=0.02, atol=0.02)


def test_filters_move_as_in_the_published_script() -> None:
    """https://github.com/KellerJordan/cifar10-airbench, airbench94_muon.py: its update, in double
    precision."""
    weight = draw(8, 4, 3, 3).double().requires_grad_()
    expected, buffer = weight.detach().clone(), torch.zeros_like(weight)
    options = {"lr": 0.24, "momentum": 0.6, "ns_steps": 3, "normalize": True}
    kind = Optimizer.read({"name": "muon", "adjust_lr_fn": "none", **options})
    built = kind.build([{"params": [weight]}], fused=False)
    for step in range(4):
        weight.grad = draw(8, 4, 3, 3, seed=step).double()
        buffer = 0.6 * buffer + weight.grad
        matrix = (weight.grad + 0.6 * buffer).reshape(8, -1)
        matrix = matrix / matrix.norm()
        for _ in range(3):
            gram = matrix @ matrix.T
            polynomial = -4.7750 * gram + 2.0315 * gram @ gram
            matrix = 3.4445 * matrix + polynomial @ matrix
        expected = expected * 8**0.5 / expected.norm() - 0.24 * matrix.view_as(expected)
        built.step(lambda: 0.0)
    torch.testing.assert_close(weight.detach(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 12), (12, 5), (4, 2, 3, 3)], ids=str)
def test_singular_values_come_near_1_and_vectors_stay(shape: tuple[int, ...]) -> None:
    given = draw(*shape)
    found = orthogonalized(given, steps=5, eps=1e-7).flatten(1)
    left, values, right = torch.linalg.svd(given.flatten(1), full_matrices=False)
    along = left.T @ found @ right.T
    assert ((along.diagonal() > 0.6) & (along.diagonal() < 1.3)).all()
    assert values.max() / values.min() > 1.5
    assert (along - along.diagonal().diag()).abs().max() < 1e-4


def network() -> nn.Sequential:
    made = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 3))
    made.register_module("head", nn.Linear(3, 2))
    return made


def moved_by(written: Any) -> dict[str, str]:
    """The kind of optimizer that moves each weight, with its rate."""
    kind, made = Optimizer.read(written), network()
    names = {id(weight): name for name, weight in made.named_parameters()}
    groups = parameter_groups(made, kind)
    built = build_optimizer(groups, fused=False)
    return {
        names[id(weight)]: f"{group.optimizer.kind} {settings['lr']:g}"
        for group, settings in zip(groups, built.param_groups, strict=True)
        for weight in settings["params"]
    }


def test_what_is_no_matrix_has_another_optimizer() -> None:
    assert moved_by({"name": "muon", "others": {"name": "sgd", "lr": 0.5}}) == {
        "0.weight": "muon 0.02",
        "0.bias": "sgd 0.5",
        "1.weight": "sgd 0.5",
        "1.bias": "sgd 0.5",
        "3.weight": "muon 0.02",
        "3.bias": "sgd 0.5",
        "head.weight": "muon 0.02",
        "head.bias": "sgd 0.5",
    }


def test_a_group_has_an_optimizer_of_its_own() -> None:
    groups = [
        {"match": "head", "optimizer": {"name": "muon", "lr": 0.1, "others": "sgd"}},
        {"match": "0.bias", "lr": 0.7},
    ]
    found = moved_by({"name": "adam", "lr": 0.01, "groups": groups})
    assert found["0.weight"] == "adam 0.01"
    assert found["0.bias"] == "adam 0.7"
    assert found["head.weight"] == "muon 0.1"
    assert found["head.bias"] == "sgd 0.001"


def test_a_step_of_several_optimizers_is_a_step_of_each() -> None:
    groups = [{"match": "head", "optimizer": {"name": "adam", "lr": 0.1}}]
    kind = Optimizer.read({"name": "sgd", "lr": 0.5, "momentum": 0.9, "groups": groups})
    ours, theirs = network(), network()
    theirs.load_state_dict(ours.state_dict())
    built = build_optimizer(parameter_groups(ours, kind), fused=False)
    first = [weight for name, weight in theirs.named_parameters() if "head" not in name]
    second = list(theirs.get_submodule("head").parameters())
    torchs = [optim.SGD(first, lr=0.5, momentum=0.9), optim.Adam(second, lr=0.1)]
    for step in range(4):
        for made in (ours, theirs):
            for index, weight in enumerate(made.parameters()):
                weight.grad = draw(*weight.shape, seed=10 * step + index)
        built.step(lambda: 0.0)
        for each in torchs:
            each.step()
        if step == 1:  # the state goes through a checkpoint
            saved = built.state_dict()
            built = build_optimizer(parameter_groups(ours, kind), fused=False)
            built.load_state_dict(saved)
    assert all(map(torch.equal, ours.parameters(), theirs.parameters()))


def test_a_group_follows_its_own_schedule() -> None:
    own = {"name": "linear", "start_factor": 1.0, "end_factor": 0.0, "total_iters": 2}
    groups = [{"match": "head", "scheduler": own}, {"match": "0", "lr": 0.2}]
    kind = Optimizer.read({"name": "sgd", "lr": 0.1, "groups": groups})
    groups_ = parameter_groups(network(), kind)
    schedule = Schedule(
        Scheduler.read({"name": "exponential", "gamma": 0.5}),
        build_optimizer(groups_, fused=False),
        steps_per_epoch=1,
        epochs=4,
        own=[group.scheduler for group in groups_],
    )
    rates = []
    for step in range(4):
        schedule.apply(step)
        rates.append([group["lr"] for group in schedule.optimizer.param_groups])
    assert rates == [
        pytest.approx([0.1, 0.1, 0.2]),
        pytest.approx([0.05, 0.05, 0.1]),
        pytest.approx([0.025, 0.0, 0.05]),
        pytest.approx([0.0125, 0.0, 0.025]),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("others: lbfgs", "lbfgs updates all weights together, not some of them"),
        ("groups: [{match: a, optimizer: lbfgs}]", "lbfgs updates all weights together"),
        ("groups: [{match: a, optimizer: sgd, lr: 1}]", "has a lr and weight_decay of its own"),
        ("groups: [{match: a, scheduler: plateau}]", "plateau cannot be the schedule of a group"),
        (
            "groups: [{match: a, optimizer: {name: sgd, groups: [{match: b, lr: 1}]}}]",
            "cannot have groups",
        ),
    ],
)
def test_what_cannot_be_combined_is_refused(text: str, message: str) -> None:
    written = f"model: {{layers: [flatten, linear: classes]}}\noptimizer: {{name: muon, {text}}}"
    with pytest.raises(FaultError, match=message):
        validate(Experiment, parse(written, origin="test.yaml"))
