"""FGSM and PGD of `eval --disturb`, held against attacks that are written here in plain torch."""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from cnnctl.data.samples import Samples
from cnnctl.data.sources.digits import Digits
from cnnctl.data.sources.mnist import Mnist
from tests.conftest import invoke

DATA = Path(os.environ.get("CNNCTL_DATA", "data"))
"""Where MNIST is, if it is on this machine."""


class Plain(nn.Module):
    """The weights of a run in torch's own layers, from pixels from 0 to 1."""

    def __init__(self, run: Path, layers: dict[str, nn.Module]) -> None:
        super().__init__()
        data = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["data"]
        self.mean, self.std = (torch.tensor(data["normalize"][name]) for name in ("mean", "std"))
        self.layers = nn.Sequential(OrderedDict(layers))
        tensors = load_file(run / "checkpoints" / "best.safetensors")
        own = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        self.layers.load_state_dict(own)

    def forward(self, pixels: Tensor) -> Tensor:
        normalized = (pixels - self.mean[:, None, None]) / self.std[:, None, None]
        outputs: Tensor = self.layers(normalized)
        return outputs

    def uphill(self, pixels: Tensor, classes: Tensor) -> Tensor:
        pixels = pixels.clone().requires_grad_(True)
        loss = functional.cross_entropy(self(pixels), classes, reduction="sum")
        return torch.autograd.grad(loss, pixels)[0].sign()

    def accuracy(self, pixels: Tensor, classes: Tensor) -> float:
        with torch.no_grad():
            return float((self(pixels).argmax(1) == classes).double().mean())

    def under_fgsm(self, pixels: Tensor, classes: Tensor, epsilon: float) -> float:
        attacked = torch.clip(pixels + epsilon * self.uphill(pixels, classes), 0, 1)
        return self.accuracy(attacked, classes)

    def under_pgd(self, pixels: Tensor, classes: Tensor, epsilon: float) -> float:
        noise = torch.rand(pixels.shape, generator=torch.Generator().manual_seed(9)) * 2 - 1
        change = epsilon * noise
        for _ in range(20):
            attacked = torch.clip(pixels + change, 0, 1)
            change = attacked + epsilon / 8 * self.uphill(attacked, classes) - pixels
            change = torch.clip(change, -epsilon, epsilon)
        return self.accuracy(torch.clip(pixels + change, 0, 1), classes)


def under_attack(run: Path, kind: str, *more: str) -> list[float]:
    """The accuracies that eval says, the first without an attack."""
    done = invoke("eval", run, "--disturb", kind, *more, "--json")
    assert done.exit_code == 0, done.output
    return [point["value"] for point in json.loads(done.stdout)["curves"][0]["points"]]


def in_parts(
    measure: Callable[[Tensor, Tensor, float], float], samples: Samples, epsilon: float
) -> float:
    """An accuracy under attack, measured on a few hundred samples at a time."""
    pixels = samples.rows.take(torch.arange(len(samples))) / 255
    parts = zip(torch.split(pixels, 500), torch.split(samples.targets, 500), strict=True)
    return sum(measure(*part, epsilon) * len(part[1]) for part in parts) / len(samples)


def assert_alike(
    run: Path, network: Plain, samples: Samples, epsilons: tuple[float, ...], *more: str
) -> None:
    """Accuracies are within a point, and PGD is no weaker than FGSM."""
    pixels, classes = samples.rows.take(torch.arange(len(samples))) / 255, samples.targets
    words = ",".join(map(str, epsilons))
    fgsm, pgd = (under_attack(run, f"{kind}={words}", *more) for kind in ("fgsm", "pgd"))
    assert fgsm[0] == pgd[0] == pytest.approx(network.accuracy(pixels, classes))
    for number, epsilon in enumerate(epsilons, 1):
        plain = (
            in_parts(each, samples, epsilon) for each in (network.under_fgsm, network.under_pgd)
        )
        assert (fgsm[number], pgd[number]) == pytest.approx(tuple(plain), abs=0.01)
        assert pgd[number] <= fgsm[number] < fgsm[number - 1]


def test_attacks_on_digits_are_those_of_plain_torch(digits_run: Path) -> None:
    layers: dict[str, nn.Module] = {
        "flatten1": nn.Flatten(),
        "linear1": nn.Linear(64, 16),
        "relu1": nn.ReLU(),
        "linear2": nn.Linear(16, 10),
    }
    samples = Digits().load("test", root=digits_run)
    assert_alike(digits_run, Plain(digits_run, layers), samples, (0.02, 0.1))


@pytest.mark.long
@pytest.mark.skipif(not (DATA / "MNIST").is_dir(), reason="MNIST is not on this machine")
def test_attacks_on_mnist_are_those_of_plain_torch(tmp_path: Path) -> None:
    done = invoke(
        *("train", "lenet-mnist", "train.epochs=2", "data.augment=[]", "train.precision=fp32"),
        *("--data", DATA, "--runs", tmp_path),
    )
    assert done.exit_code == 0, done.output
    layers: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(1, 6, 5, padding=2),
        "tanh1": nn.Tanh(),
        "avg_pool1": nn.AvgPool2d(2),
        "conv2": nn.Conv2d(6, 16, 5),
        "tanh2": nn.Tanh(),
        "avg_pool2": nn.AvgPool2d(2),
        "flatten1": nn.Flatten(),
        "linear1": nn.Linear(400, 120),
        "tanh3": nn.Tanh(),
        "linear2": nn.Linear(120, 84),
        "tanh4": nn.Tanh(),
        "linear3": nn.Linear(84, 10),
    }
    run = tmp_path / "lenet-mnist"
    samples = Mnist().load("test", root=DATA)
    assert_alike(run, Plain(run, layers), samples, (0.1,), "--data", str(DATA))
