"""The formulas of softened answers, against computations of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cnnctl.distillation.softening import (
    binary_cross_entropy,
    divergence,
    is_independent,
    logits_of,
    softened,
)
from cnnctl.experiment import Task
from cnnctl.optim.losses import Loss
from cnnctl.optim.losses.binary import BCE, BCEWithLogits
from cnnctl.optim.losses.classes import NLL, CrossEntropy
from cnnctl.target import Target
from tests.distillation.conftest import experiment, loaded

Numbers = NDArray[np.float64]
DRAWN = np.random.default_rng(1)
STUDENT, TEACHER = DRAWN.normal(0, 3, (7, 4)), DRAWN.normal(0, 3, (7, 4))


def softmax(logits: Numbers) -> Numbers:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_divergence_is_that_of_hinton(temperature: float) -> None:
    p, q = softmax(TEACHER / temperature), softmax(STUDENT / temperature)
    expected = (p * np.log(p / q)).sum()
    shares = softened(torch.tensor(TEACHER), temperature=temperature, independent=False)
    found = divergence(torch.tensor(STUDENT), shares, temperature=temperature)
    np.testing.assert_allclose(shares.numpy(), p)
    assert float(found) == pytest.approx(expected)


def test_its_gradient_is_that_of_hinton() -> None:
    """Equation 2 of the paper: dC/dz = (q - p) / T."""
    logits = torch.tensor(STUDENT, requires_grad=True)
    shares = softened(torch.tensor(TEACHER), temperature=4, independent=False)
    divergence(logits, shares, temperature=4).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    expected = (softmax(STUDENT / 4) - softmax(TEACHER / 4)) / 4
    np.testing.assert_allclose(logits.grad.numpy(), expected)


def test_labels_have_the_cross_entropy_of_sigmoids() -> None:
    p, q = (1 / (1 + np.exp(-logits / 2)) for logits in (TEACHER, STUDENT))
    expected = -(p * np.log(q) + (1 - p) * np.log(1 - q)).sum()
    shares = softened(torch.tensor(TEACHER), temperature=2, independent=True)
    found = binary_cross_entropy(torch.tensor(STUDENT), shares, temperature=2)
    assert float(found) == pytest.approx(expected)


def task_with(loss: Loss, *, outputs: int, classes: int = 2, **target: Any) -> Task:
    names = tuple("abcd"[:classes])
    layers = [{"linear": outputs}]
    plan = loaded(experiment(model={"layers": [*layers, "tanh", {"linear": "classes"}]})).plan
    return Task("", Target("target", names, classes, **target), loss, plan.layers[:1], ())


def test_a_single_output_stands_for_two_classes() -> None:
    task = task_with(BCEWithLogits(), outputs=1)
    logits = logits_of(task, torch.tensor([[0.7], [-2.0]]))
    assert not is_independent(task)
    assert torch.allclose(logits.softmax(dim=1)[:, 1], torch.tensor([0.7, -2.0]).sigmoid())


@pytest.mark.parametrize("loss", [BCE(), NLL(), CrossEntropy()])
def test_logits_follow_from_what_the_loss_takes(loss: Loss) -> None:
    logits = torch.tensor(STUDENT[:, :3], dtype=torch.float32)
    task = task_with(loss, outputs=3, classes=3)
    takes: dict[str, torch.Tensor] = {
        "probabilities": logits.sigmoid(),
        "log_probabilities": logits.log_softmax(dim=1),
        "logits": logits,
    }
    found = softened(
        logits_of(task, takes[loss.outputs]), temperature=3, independent=is_independent(task)
    )
    expected = (logits / 3).sigmoid() if is_independent(task) else (logits / 3).softmax(dim=1)
    assert torch.allclose(found, expected, atol=1e-5)
