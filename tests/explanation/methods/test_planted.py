"""Evidence planted in a corner lights that corner, and other weights give another map."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch.nn import functional

from cnnctl.explanation.methods import METHODS
from cnnctl.explanation.request import Request
from cnnctl.subject import Chosen, Subject
from tests.explanation.conftest import subject_of

POOLED = """\
seed: 1
data: {name: digits, size: [16, 16]}
model:
  layers:
    - conv: {out_channels: 8, kernel_size: 3, padding: 1}
    - relu
    - conv: {out_channels: 8, kernel_size: 3, padding: 1}
    - relu
    - global_avg_pool
    - linear: classes
train: {device: cpu}
"""


@cache
def taught() -> tuple[Subject, Chosen]:
    """A network for which the upper left corner tells the classes 0 and 1 apart, and samples."""
    subject = subject_of(POOLED)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 1, 16, 16, generator=generator) * 0.05
    classes = torch.arange(64) % 2
    inputs[:, :, :5, :5] += classes.view(-1, 1, 1, 1)
    network = subject.trained.network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(40):
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(inputs), classes)
        torch.autograd.backward(loss)
        optimizer.step()
    network.eval()
    assert (network(inputs).argmax(1) == classes).all()
    return subject, Chosen(("a", "b"), inputs[1:4:2], None)


@pytest.mark.parametrize(
    "name",
    [
        *("grad-cam", "layer-cam", "integrated-gradients", "occlusion"),
        *(pytest.param(name, marks=pytest.mark.long) for name in ("lime", "shap")),
    ],
)
def test_evidence_planted_in_a_corner_lights_that_corner(name: str) -> None:
    subject, chosen = taught()
    request = Request(subject, subject.tasks[0], chosen, target=1)
    maps = METHODS[name].explain(request).arrays["map"].clamp(min=0)
    corner = maps[:, :8, :8].sum((1, 2)) / maps.sum((1, 2))
    assert (corner > 0.7).all(), corner  # a quarter of the area


@pytest.mark.parametrize("name", ["grad-cam", "layer-cam", "saliency", "integrated-gradients"])
def test_other_weights_give_another_map(name: str) -> None:
    """The sanity check of Adebayo et al. 2018, https://arxiv.org/abs/1810.03292."""
    subject, chosen = taught()
    fresh = subject_of(POOLED, "seed=7")
    of_each = (Request(each, each.tasks[0], chosen, target=1) for each in (subject, fresh))
    maps = (METHODS[name].explain(each).arrays["map"].flatten(1) for each in of_each)
    learnt, drawn = (each - each.mean(1, keepdim=True) for each in maps)
    similarity = functional.cosine_similarity(learnt, drawn)
    assert (similarity < 0.8).all(), similarity
