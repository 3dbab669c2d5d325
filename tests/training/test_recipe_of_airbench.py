"""The recipe of configs/airbench-cifar10.yaml takes the steps of the published script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnctl.experiment import load
from cnnctl.training.assembly import assemble
from cnnctl.training.step import make_step

CONFIG = Path(__file__).parents[2] / "configs" / "airbench-cifar10.yaml"
STEPS, PER_EPOCH = 3, 1
"""The rate of the whitening bias falls for three epochs, here of one step each."""


class Net(nn.Module):
    """That of https://github.com/KellerJordan/cifar10-airbench, airbench94_muon.py."""

    def __init__(self) -> None:
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad = False
        layers: list[nn.Module] = [nn.GELU()]
        for before, width in ((24, 64), (64, 256), (256, 256)):
            for channels, pool in ((before, [nn.MaxPool2d(2)]), (width, [])):
                norm = nn.BatchNorm2d(width, eps=1e-12, momentum=1 - 0.6)
                norm.weight.requires_grad = False
                conv = nn.Conv2d(channels, width, 3, padding="same", bias=False)
                layers += [conv, *pool, norm, nn.GELU()]
        self.layers = nn.Sequential(*layers, nn.MaxPool2d(3))
        self.head = nn.Linear(256, 10, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(self.whiten(x)).flatten(1)
        logits: Tensor = self.head(x) / x.size(-1)
        return logits


def muon(weight: nn.Parameter, buffer: Tensor, *, lr: float) -> None:
    """The script's step, in float32."""
    assert weight.grad is not None
    buffer.mul_(0.6).add_(weight.grad)
    step = weight.grad.add(buffer, alpha=0.6).reshape(len(weight), -1)
    step = step / (step.norm() + 1e-7)
    wide = step.T if step.size(0) > step.size(1) else step
    for _ in range(3):
        gram = wide @ wide.T
        wide = 3.4445 * wide + (-4.7750 * gram + 2.0315 * gram @ gram) @ wide
    step = wide.T if step.size(0) > step.size(1) else wide
    weight.data.mul_(len(weight.data) ** 0.5 / weight.data.norm())
    weight.data.add_(step.reshape(weight.shape), alpha=-lr)


def published(net: Net, batches: list[tuple[Tensor, Tensor]]) -> None:
    """Steps of the script on these batches."""
    filters = [p for p in net.parameters() if p.ndim == 4 and p.requires_grad]
    biases = [p for n, p in net.layers.named_parameters() if n.endswith("bias")]
    groups: list[dict[str, Any]] = [
        {"params": [net.whiten.bias], "lr": 0.053, "weight_decay": 0.004 / 0.053},
        {"params": biases, "lr": 0.053, "weight_decay": 0.004 / 0.053},
        {"params": [net.head.weight], "lr": 0.67, "weight_decay": 0.004 / 0.67},
    ]
    sgd = torch.optim.SGD(groups, momentum=0.85, nesterov=True)
    rates = [group["lr"] for group in sgd.param_groups]
    buffers = [torch.zeros_like(each) for each in filters]
    for step, (inputs, labels) in enumerate(batches):
        loss = functional.cross_entropy(net(inputs), labels, label_smoothing=0.2, reduction="sum")
        torch.autograd.backward(loss)
        lengths = [3 * PER_EPOCH, 8 * PER_EPOCH, 8 * PER_EPOCH]
        for group, rate, length in zip(sgd.param_groups, rates, lengths, strict=True):
            group["lr"] = rate * (1 - step / length)
        sgd.step()
        for weight, buffer in zip(filters, buffers, strict=True):
            muon(weight, buffer, lr=0.24 * (1 - step / (8 * PER_EPOCH)))
        net.zero_grad()


@pytest.mark.long
def test_three_steps_are_those_of_the_script() -> None:
    loaded = load(CONFIG, ["train.accumulate=1", "train.precision=fp32", "train.compile=false"])
    cpu = torch.device("cpu")
    run = assemble(
        loaded.experiment,
        plan=loaded.plan,
        tasks=loaded.tasks,
        device=cpu,
        steps_per_epoch=PER_EPOCH,
    )
    net = Net()
    ours, theirs = run.network.state_dict(), net.state_dict()
    assert ours.pop("scale.weight").tolist() == [1 / 256] * 10
    assert [each.shape for each in ours.values()] == [each.shape for each in theirs.values()]
    net.load_state_dict(dict(zip(theirs, ours.values(), strict=True)))
    draw = torch.Generator().manual_seed(0)
    batches = [
        (torch.randn(12, 3, 32, 32, generator=draw), torch.randint(10, (12,), generator=draw))
        for _ in range(STEPS)
    ]
    published(net, batches)
    step = make_step(run)
    for batch in batches:
        step([batch])
    ours = run.network.state_dict()
    del ours["scale.weight"]
    for found, expected in zip(ours.values(), net.state_dict().values(), strict=True):
        torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-4)
