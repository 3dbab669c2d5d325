"""A trained network is one object, with the weights of its checkpoint; none are drawn."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from cnnctl.config.source import parse
from cnnctl.experiment import complete
from cnnctl.model import network
from cnnctl.model.network import NetworkPlan, new_meta_network
from cnnctl.model.zoo import Network
from cnnctl.trained import open_trained
from tests.conftest import Cli, invoke
from tests.examples import one_of_a_kind, published


@pytest.fixture
def run(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tiny.parent)
    assert invoke("train", tiny, "train.epochs=1").exit_code == 0
    return tiny.parent / "runs" / "tiny"


def test_it_has_the_weights_of_its_checkpoint_and_draws_none(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "build", None)
    before = torch.get_rng_state()
    trained = open_trained(run)
    assert torch.equal(torch.get_rng_state(), before)
    stored = load_file(run / "checkpoints" / "best.safetensors")
    own = trained.network.state_dict()
    assert own.keys() == {name.removeprefix("model.") for name in stored if "model." in name}
    assert all(torch.equal(tensor, stored[f"model.{name}"]) for name, tensor in own.items())
    assert not trained.network.training
    assert trained.epoch == 1
    assert [task.target.class_names for task in trained.tasks] == [tuple("0123456789")]


def test_it_answers_by_itself(run: Path) -> None:
    trained = open_trained(run)
    pixels = torch.randint(17, (5, 1, 8, 8), dtype=torch.uint8)
    stored = load_file(run / "checkpoints" / "best.safetensors")
    normalize = trained.preprocessing.normalize
    assert normalize is not None
    inputs = (pixels / 255 - normalize.mean[0]) / normalize.std[0]
    hidden = torch.relu(
        inputs.flatten(1) @ stored["model.linear1.weight"].T + stored["model.linear1.bias"]
    )
    expected = hidden @ stored["model.linear2.weight"].T + stored["model.linear2.bias"]
    with torch.no_grad():
        answers = trained.network(trained.preprocessing.inputs(pixels))
    torch.testing.assert_close(answers, expected)


def assert_nothing_is_missing(plan: NetworkPlan) -> None:
    """A network that is made empty gets every buffer from its state dict, as every weight."""
    empty = new_meta_network(plan)
    assert {name for name, _ in empty.named_buffers()} <= empty.state_dict().keys()
    attributes = [each for module in empty.modules() for each in vars(module).values()]
    assert not any(isinstance(each, Tensor) for each in attributes)


@pytest.mark.parametrize("kind", one_of_a_kind(Network.kinds))
def test_nothing_of_a_network_of_the_zoo_is_missing_in_a_checkpoint(kind: str) -> None:
    assert_nothing_is_missing(published(kind).plan)


@pytest.mark.parametrize(
    "name", ["swin_t", "maxvit_t", "vit_b_16", "inception_v3", "regnet_y_400mf"]
)
def test_nothing_of_a_network_of_torchvision_is_missing_in_a_checkpoint(name: str) -> None:
    text = f"model: {{torchvision: {name}}}\ndata: {{name: fake, shape: [3, 224, 224]}}"
    assert_nothing_is_missing(complete(parse(text, origin="x.yaml"), "x").plan)


PLUGIN = """\
from torch import nn, tensor
from cnnctl.model.layer import Layer


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("factor", tensor(3.0), persistent=False)
        self.offset = tensor(0.5)

    def forward(self, inputs):
        return inputs * self.factor + self.offset


class Scaled(Layer, kind="scaled_by_a_plugin"):
    def build(self, input):
        return Scale()
"""


def test_tensors_of_a_plugin_that_no_state_dict_has_are_made(tiny: Path, cli: Cli) -> None:
    (tiny.parent / "scale.py").write_text(PLUGIN, encoding="utf-8")
    layers = "[flatten, scaled_by_a_plugin, {linear: classes}]"
    trained = cli("train", tiny, f"model.layers={layers}", "plugins=[scale.py]")
    assert trained.returncode == 0, trained.stderr
    measured = cli("eval", "runs/tiny", "--plugin", "scale.py")
    assert measured.returncode == 0, measured.stderr
    loss = re.findall(r"test: loss ([\d.]+)", trained.stdout)
    assert re.findall(r"^loss ([\d.]+)", measured.stdout, re.MULTILINE) == loss != []
