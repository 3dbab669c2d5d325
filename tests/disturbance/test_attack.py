"""Attacks, held against their definitions and against plain torch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnctl.disturbance.attack import fgsm, flip_distances, pgd


def unbounded(values: Tensor) -> Tensor:
    return values


def pixels(values: Tensor) -> Tensor:
    return values.clamp(0, 1)


def slope_of(network: nn.Module, targets: Tensor) -> Callable[[Tensor], Tensor]:
    def gradient(values: Tensor) -> Tensor:
        values = values.detach().requires_grad_()
        loss = functional.cross_entropy(network(values), targets, reduction="sum")
        (found,) = torch.autograd.grad(loss, values)
        return found

    return gradient


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 20), nn.Tanh(), nn.Linear(20, 3))


def test_fgsm_moves_every_pixel_by_epsilon_within_black_and_white(network: nn.Module) -> None:
    values, targets = torch.rand(50, 6), torch.randint(3, (50,))
    gradient = slope_of(network, targets)
    moved = fgsm(values, gradient, epsilon=0.1, clip=pixels, towards=False)
    assert torch.equal(moved, (values + 0.1 * gradient(values).sign()).clamp(0, 1))
    inside = (moved > 0) & (moved < 1)
    assert torch.allclose((moved - values).abs()[inside], torch.tensor(0.1), atol=1e-6)
    assert (float(moved.min()), float(moved.max())) == (0, 1)


def test_of_a_linear_network_fgsm_finds_the_largest_change_of_the_loss() -> None:
    # the loss of w x is raised most, within a cube, at the corner that the signs of w lead to
    weights = torch.tensor([0.5, -2.0, 0.0])
    moved = fgsm(
        torch.zeros(1, 3),
        weights.expand_as,
        epsilon=0.3,
        clip=unbounded,
        towards=False,
    )
    assert moved.tolist() == [pytest.approx([0.3, -0.3, 0])]


def test_pgd_stays_within_epsilon_and_within_black_and_white(network: nn.Module) -> None:
    values, targets = torch.rand(50, 6), torch.randint(3, (50,))
    start = 2 * torch.rand(50, 6) - 1
    moved = pgd(
        values,
        slope_of(network, targets),
        epsilon=0.2,
        steps=9,
        step_size=0.07,
        clip=pixels,
        towards=False,
        start=start,
    )
    assert float((moved - values).abs().max()) <= 0.2 + 1e-6
    assert float(moved.min()) >= 0
    assert float(moved.max()) <= 1


def test_one_step_of_pgd_is_fgsm(network: nn.Module) -> None:
    values, targets = torch.rand(20, 6), torch.randint(3, (20,))
    gradient = slope_of(network, targets)
    once = pgd(values, gradient, epsilon=0.1, steps=1, step_size=0.1, clip=pixels, towards=False)
    assert torch.allclose(once, fgsm(values, gradient, epsilon=0.1, clip=pixels, towards=False))


@pytest.mark.parametrize("is_towards", [True, False])
def test_attacks_raise_the_loss_or_lower_it_towards_a_target(
    network: nn.Module, *, is_towards: bool
) -> None:
    values, targets = torch.rand(50, 6), torch.randint(3, (50,))
    gradient = slope_of(network, targets)

    def losses(moved: Tensor) -> Tensor:
        return functional.cross_entropy(network(moved), targets, reduction="none").detach()

    once = fgsm(values, gradient, epsilon=0.05, clip=unbounded, towards=is_towards)
    often = pgd(
        values,
        gradient,
        epsilon=0.05,
        steps=20,
        step_size=0.01,
        clip=unbounded,
        towards=is_towards,
    )
    sign = -1 if is_towards else 1
    assert bool((sign * (losses(once) - losses(values)) > 0).all())
    assert bool((sign * (losses(often) - losses(once)) > -1e-4).all())  # pgd is no weaker


def test_the_distance_at_which_the_class_flips_is_found_by_bisection() -> None:
    thresholds = torch.tensor([0.0003, 0.1, 0.4321, 1.0, 3.0])
    asked = 0

    def is_flipped(epsilon: Tensor) -> Tensor:
        nonlocal asked
        asked += 1
        return epsilon >= thresholds

    found = flip_distances(is_flipped, samples=5, at_most=1.0)
    assert found[:4].tolist() == pytest.approx([0.0003, 0.1, 0.4321, 1.0], rel=0.004)
    assert found[4] == torch.inf
    assert asked == 9 + 12
