"""GoogLeNet's auxiliary heads are torchvision's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from cnnctl.inspection import gather
from cnnctl.model.matching import fit_weights
from cnnctl.model.network import build
from cnnctl.sources import open_experiment

PUBLISHED = 13_004_888
"""Parameters, as torchvision counts them: 6,624,904 and those of both heads."""


def ours(*overrides: str) -> nn.Module:
    return build(open_experiment(Path("googlenet"), overrides).plan, seed=0)


def theirs(*, auxiliary: bool) -> nn.Module:
    network: nn.Module = models.googlenet(weights=None, aux_logits=auxiliary, init_weights=False)
    return network


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout lets everything through."""
    monkeypatch.setattr(nn.Dropout, "forward", lambda _, images: images)


@pytest.mark.usefixtures("still")
def test_in_training_both_heads_say_what_torchvisions_say() -> None:
    network, twin = ours("model.auxiliary=true"), theirs(auxiliary=True)
    assert fit_weights(network, twin.state_dict()) == ()
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        outputs, expected = network(images), twin(images)
    for part, name in enumerate(("logits", "aux_logits1", "aux_logits2")):
        found = outputs[:, 1000 * part : 1000 * (part + 1)]
        torch.testing.assert_close(found, getattr(expected, name), rtol=0, atol=1e-5)
    with torch.no_grad():
        again = network.eval()(images), twin.eval()(images)
    torch.testing.assert_close(*again, rtol=0, atol=1e-5)


def test_the_heads_stay_initialised_if_the_weights_have_none() -> None:
    left_out = fit_weights(ours("model.auxiliary=true"), theirs(auxiliary=False).state_dict())
    assert {name.partition(".")[0] for name in left_out} == {"aux1", "aux2"}


def test_weights_with_heads_fit_a_network_without() -> None:
    assert fit_weights(ours(), theirs(auxiliary=True).state_dict()) == ()


def test_the_parameters_are_the_published_ones() -> None:
    found = open_experiment(Path("googlenet"), ["model.auxiliary=true"])
    assert gather(found.plan, batch_size=1).parameters == PUBLISHED
