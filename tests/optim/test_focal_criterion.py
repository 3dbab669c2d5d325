"""Focal loss against the paper's figures, torchvision's sigmoid form, and cross-entropy."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn, tensor
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from cnnctl.optim.focal_criterion import FocalCriterion

WEIGHT = tensor([0.5, 2.0, 1.0])


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def focal(
    *, gamma: float = 2.0, weight: Tensor | None = None, reduction: str = "mean"
) -> FocalCriterion:
    return FocalCriterion(weight, gamma=gamma, reduction=reduction)


@pytest.mark.parametrize(("share", "factor"), [(0.9, 100), (0.968, 1000), (0.5, 4)])
def test_well_classified_samples_count_as_little_as_the_paper_says(
    share: float, factor: int
) -> None:
    # section 3.2: with gamma = 2 a hundred times less at 0.9, a thousand times at 0.968,
    # and at most 4 times less up to 0.5
    logits, classes = tensor([[share, 1 - share]]).log(), tensor([0])
    ratio = functional.cross_entropy(logits, classes) / focal()(logits, classes)
    assert float(ratio) == pytest.approx(factor, rel=0.03)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_two_classes_have_the_loss_of_torchvision(gamma: float) -> None:
    logits, classes = 3 * draw(40), torch.arange(40) % 2
    expected = sigmoid_focal_loss(logits, classes.float(), alpha=0.25, gamma=gamma, reduction="sum")
    both = torch.stack([torch.zeros(40), logits], dim=1)
    found = focal(gamma=gamma, weight=tensor([0.75, 0.25]), reduction="sum")(both, classes)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("mixed", [False, True])
def test_without_focus_it_is_cross_entropy(
    reduction: str, weight: Tensor | None, mixed: bool
) -> None:
    logits, targets = draw(12, 3), torch.arange(12) % 3
    if mixed:
        targets = draw(12, 3).softmax(1)
    expected = nn.CrossEntropyLoss(weight, reduction=reduction)(logits, targets)
    found = focal(gamma=0, weight=weight, reduction=reduction)(logits, targets)
    torch.testing.assert_close(found, expected)


def test_a_mixed_target_has_the_mixed_loss() -> None:
    # as mixup defines it: share * loss of one class + (1 - share) * loss of the other
    logits, share = draw(1, 3), 0.3
    parts = [float(focal(weight=WEIGHT, reduction="sum")(logits, tensor([c]))) for c in (0, 2)]
    mixed = tensor([[share, 0, 1 - share]])
    found = float(focal(weight=WEIGHT, reduction="sum")(logits, mixed))
    assert found == pytest.approx(share * parts[0] + (1 - share) * parts[1], rel=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_the_gradient_is_finite_however_sure_the_network_is(gamma: float) -> None:
    logits = tensor([[200.0, 0.0], [-200.0, 0.0], [0.0, 0.0]], requires_grad=True)
    loss = focal(gamma=gamma)(logits, tensor([0, 0, 1]))
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
    # a hopeless sample has the gradient of cross-entropy
    assert logits.grad[1].tolist() == pytest.approx([-1 / 3, 1 / 3])


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_the_gradient_is_that_of_the_loss(gamma: float) -> None:
    logits = draw(5, 3).double().requires_grad_()
    criterion = focal(gamma=gamma, weight=WEIGHT.double())
    assert torch.autograd.gradcheck(lambda x: criterion(x, torch.arange(5) % 3), logits)
