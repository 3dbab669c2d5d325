"""Lion, held against the program of its paper: https://arxiv.org/abs/2302.06675, Algorithm 2."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from cnnctl.optim.optimizers import Optimizer
from cnnctl.optim.schedulers import Schedule, Scheduler

Array = NDArray[np.float64]


def papers(
    weight: Array,
    gradients: list[Array],
    rates: list[float],
    *,
    betas: tuple[float, float],
    weight_decay: float,
) -> Array:
    momentum = np.zeros_like(weight)
    for gradient, rate in zip(gradients, rates, strict=True):
        update = betas[0] * momentum + (1 - betas[0]) * gradient
        weight = weight - rate * (np.sign(update) + weight_decay * weight)
        momentum = betas[1] * momentum + (1 - betas[1]) * gradient
    return weight


def ours(weight: Array, gradients: list[Array], rates: list[float], **options: Any) -> Array:
    parameter = nn.Parameter(torch.from_numpy(weight.copy()))
    spec = Optimizer.read({"name": "lion", **options})
    optimizer = spec.build([{"params": [parameter]}], fused=True)
    for gradient, rate in zip(gradients, rates, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        parameter.grad = torch.from_numpy(gradient)
        optimizer.step()
    return parameter.detach().numpy()


@settings(max_examples=60, deadline=None)
@given(
    shape=st.sampled_from([(), (1,), (7,), (3, 4), (2, 3, 3, 3)]),
    seed=st.integers(0, 2**32 - 1),
    rates=st.lists(st.floats(1e-6, 1.0), max_size=8),
    betas=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
    weight_decay=st.just(0.0) | st.floats(1e-4, 10),
)
def test_it_moves_as_the_paper_says(
    shape: tuple[int, ...],
    seed: int,
    rates: list[float],
    betas: tuple[float, float],
    weight_decay: float,
) -> None:
    draw = np.random.default_rng(seed)
    weight = draw.standard_normal(shape)
    gradients = [np.asarray(draw.standard_normal(shape)) for _ in rates]
    options = {"betas": betas, "weight_decay": weight_decay}
    found = ours(np.asarray(weight), gradients, rates, **options)
    expected = papers(weight, gradients, rates, betas=betas, weight_decay=weight_decay)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_defaults_are_the_papers() -> None:
    arguments = Optimizer.read("lion").arguments()
    assert arguments == {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.0}


def test_a_schedule_moves_it_and_its_first_beta() -> None:
    draw = np.random.default_rng(0)
    weight, steps = draw.standard_normal((5, 4)), 12
    gradients = [draw.standard_normal((5, 4)) for _ in range(steps)]
    parameter = nn.Parameter(torch.from_numpy(weight.copy()))
    spec = Optimizer.read({"name": "lion", "lr": 0.01, "weight_decay": 0.1})
    optimizer = spec.build([{"params": [parameter]}], fused=True)
    schedule = Schedule(Scheduler.read("cosine"), optimizer, steps_per_epoch=4, epochs=3)
    for step, gradient in enumerate(gradients):
        schedule.apply(step)
        parameter.grad = torch.from_numpy(gradient)
        optimizer.step()
    rates = [0.01 * (1 + np.cos(np.pi * step / steps)) / 2 for step in range(steps)]
    expected = papers(weight, gradients, rates, betas=(0.9, 0.99), weight_decay=0.1)
    np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=1e-12)
    one_cycle = Scheduler.read("one_cycle")
    Schedule(one_cycle, optimizer, steps_per_epoch=4, epochs=3).apply(0)
    assert optimizer.param_groups[0]["betas"] == (0.95, 0.99)


def test_every_weight_moves_by_the_rate_in_its_own_format() -> None:
    weight = torch.ones(2, 3, 4, 4).to(memory_format=torch.channels_last)
    parameter = nn.Parameter(weight)
    optimizer = Optimizer.read({"name": "lion", "lr": 0.25}).build(
        [{"params": [parameter]}], fused=True
    )
    parameter.grad = torch.full_like(weight, 1e-20)
    optimizer.step()
    assert torch.equal(parameter.detach(), torch.full_like(weight, 0.75))
    kept: Tensor = optimizer.state[parameter]["exp_avg"]
    assert kept.is_contiguous(memory_format=torch.channels_last)


def test_a_weight_without_a_gradient_stays_and_has_no_state() -> None:
    frozen, learning = (nn.Parameter(torch.ones(3)) for _ in range(2))
    optimizer = Optimizer.read({"name": "lion", "weight_decay": 1.0}).build(
        [{"params": [frozen, learning]}], fused=True
    )
    learning.grad = torch.ones(3)
    optimizer.step()
    assert torch.equal(frozen.detach(), torch.ones(3))
    assert list(optimizer.state) == [learning]


@pytest.mark.parametrize("wrong", [{"betas": [0.9, 1.0]}, {"weight_decay": -1}, {"momentum": 0.9}])
def test_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Optimizer.read({"name": "lion", **wrong})
