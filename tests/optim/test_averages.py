"""Lookahead, compared with its published loops; the moving average is in test_regularizers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnctl.config.source import parse
from cnnctl.config.validation import validate
from cnnctl.errors import FaultError
from cnnctl.experiment import Experiment
from cnnctl.optim.averages import SlowWeights
from cnnctl.optim.losses import Loss
from cnnctl.optim.optimizers import Optimizer
from cnnctl.optim.regularizers import Lookahead, Regularization


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


def step(made: nn.Module, seed: int) -> None:
    """A step of gradient descent, which changes the statistics of the norm, too."""
    inputs = torch.randn(8, 3, generator=torch.Generator().manual_seed(seed))
    loss: Tensor = made(inputs).square().mean()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.optim.SGD(made.parameters(), lr=0.3).step()
    made.zero_grad()


def numbers(made: nn.Module) -> list[Tensor]:
    return [each.clone() for each in made.state_dict().values() if each.is_floating_point()]


def test_it_is_the_algorithm_of_the_paper() -> None:
    ours, theirs = network(), network()
    average = SlowWeights(ours, lookahead=Lookahead(every=3, alpha=0.4), steps=9)
    slow = numbers(theirs)
    for count in range(9):
        step(ours, count)
        average.update(step=count)
        step(theirs, count)
        if (count + 1) % 3 == 0:
            pairs = zip(slow, numbers(theirs), strict=True)
            slow = [each + 0.4 * (own - each) for each, own in pairs]
            names = [n for n, v in theirs.state_dict().items() if v.is_floating_point()]
            theirs.load_state_dict(dict(zip(names, slow, strict=True)), strict=False)
        torch.testing.assert_close(numbers(ours), numbers(theirs))
        torch.testing.assert_close(numbers(average.network), slow)


def test_alpha_falls_as_in_airbench() -> None:
    """https://github.com/KellerJordan/cifar10-airbench: 0.95**5 * (step / total)**3 of the slow."""
    lookahead = Lookahead(alpha=1 - 0.95**5, ramp=3)
    for count in range(11):
        decay = 0.95**5 * (count / 10) ** 3
        assert lookahead.share(count / 10) == pytest.approx(1 - decay)


def test_without_a_ramp_alpha_is_constant() -> None:
    for progress in (0.0, 0.5, 1.0):
        assert Lookahead(alpha=0.3).share(progress) == pytest.approx(0.3)


def test_a_number_sets_the_steps_between() -> None:
    read = Regularization.model_validate({"lookahead": 7})
    assert read.lookahead == Lookahead(every=7)


def test_two_averages_are_a_fault() -> None:
    settings = Regularization.model_validate({"lookahead": 5, "ema": 0.9})
    with pytest.raises(FaultError, match="both set the weights that are evaluated"):
        settings.check(optimizer=Optimizer.read("sgd"), loss=Loss.read("cross_entropy"))


@pytest.mark.parametrize("wrong", ["{every: 0}", "{alpha: 0}", "{alpha: 1.5}", "{ramp: -1}"])
def test_nonsense_is_refused(wrong: Any) -> None:
    text = f"model: {{layers: [linear: 1]}}\nregularization: {{lookahead: {wrong}}}"
    with pytest.raises(FaultError, match="lookahead"):
        validate(Experiment, parse(text, origin="test.yaml"))
