"""Weights measured on the data: in training, in what is shown before it, in checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cnnctl.experiment import load
from cnnctl.subject import initial_subject
from cnnctl.training.setup import set_up
from tests.conftest import Cli

CONFIG = """
data: digits
model:
  layers:
    - conv: {out_channels: 8, kernel_size: 2, init: {name: whitening, samples: 300}}
    - relu
    - flatten
    - linear: classes
  freeze: [conv1.weight]
train: {epochs: 1, device: cpu}
"""


def written(folder: Path) -> Path:
    config = folder / "white.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    return config


def test_a_run_begins_with_what_the_data_says(tmp_path: Path) -> None:
    loaded = load(written(tmp_path))
    setup = set_up(loaded)
    run = setup.assemble()
    seen = torch.cat(list(setup.samples(300)))
    assert len(seen) == 300
    patches = seen.unfold(2, 2, 1).unfold(3, 2, 1).reshape(-1, 4).double()
    weight = run.network.get_parameter("conv1.weight").detach()
    outputs = patches @ weight[:4].reshape(4, 4).double().T
    moments = outputs.T @ outputs / len(outputs)
    torch.testing.assert_close(moments, torch.eye(4).double(), rtol=0, atol=0.05)
    shown = initial_subject(loaded).trained.network.get_parameter("conv1.weight")
    assert torch.equal(shown, weight)


@pytest.mark.long
def test_measured_weights_are_in_checkpoints_and_exports(quick_cli: Cli, tmp_path: Path) -> None:
    config = written(tmp_path)
    weight = set_up(load(config)).assemble().network.get_parameter("conv1.weight")
    assert quick_cli("train", config).returncode == 0
    (kept,) = tmp_path.glob("runs/white/checkpoints/best.safetensors")
    trained = load_file(kept)
    (name,) = (name for name in trained if name.endswith("conv1.weight"))
    assert torch.equal(trained[name], weight)
    assert not torch.equal(trained[name.replace("weight", "bias")], torch.zeros(8))
    assert quick_cli("export", config, "start.safetensors").returncode == 0
    assert torch.equal(load_file(tmp_path / "start.safetensors")["conv1.weight"], weight)
