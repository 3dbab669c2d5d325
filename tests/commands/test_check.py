"""`cnnctl check`: what can be known of an experiment before it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.conftest import invoke

CONFIG = """\
model:
  layers: [flatten, linear: 5, relu, linear: classes]
  weights: start.pth
data: digits
optimizer: sgd
"""


def save(folder: Path, width: int) -> None:
    layers = nn.Linear(64, width), nn.Linear(width, 10)
    torch.save(nn.Sequential(*layers).state_dict(), folder / "start.pth")
    (folder / "net.yaml").write_text(CONFIG, encoding="utf-8")


def test_weights_of_a_file_are_held_against_the_network(tmp_path: Path) -> None:
    save(tmp_path, 5)
    done = invoke("check", tmp_path / "net.yaml")
    assert (done.exit_code, done.stderr) == (0, "")
    save(tmp_path, 6)
    done = invoke("check", tmp_path / "net.yaml")
    assert (done.exit_code, done.stdout) == (2, "")
    fault, hint = done.stderr.splitlines()
    assert fault == (
        f"{tmp_path / 'net.yaml'}:3:12: model.weights: at tensor 1 the network has linear1.weight "
        "(5x64), but the weights have 0.weight (6x64)"
    )
    assert hint.startswith("    use weights of this architecture")


def test_a_damaged_weights_file_is_reported(tmp_path: Path) -> None:
    save(tmp_path, 5)
    (tmp_path / "start.pth").write_bytes(b"none")
    done = invoke("check", tmp_path / "net.yaml")
    assert done.exit_code == 2
    assert f"{tmp_path / 'start.pth'}: is damaged" in done.stderr


def test_nothing_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    text = "model: {torchvision: resnet18, weights: DEFAULT}\noptimizer: sgd\n"
    data = "data: {name: fake, shape: [3, 64, 64]}\n"
    (tmp_path / "net.yaml").write_text(text + data, encoding="utf-8")
    assert invoke("check", tmp_path / "net.yaml").exit_code == 0
