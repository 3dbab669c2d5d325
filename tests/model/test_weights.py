"""Weights are read from files and from torchvision, without running anything in them."""

from __future__ import annotations

import pickle
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision import models

from cnnctl.errors import ExitCode, FaultError
from cnnctl.model.network import Model, Plan, plan
from cnnctl.model.weights import default_weights, gather_weights, read_weights

Tensors = dict[str, Tensor]


def state_dict() -> Tensors:
    """Of a network that calls its layers 0, 1, …"""
    torch.manual_seed(1)
    layers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 10)
    return nn.Sequential(*layers).state_dict()


@pytest.mark.parametrize("wrap", ["", "state_dict", "model"])
def test_a_torch_file_is_read_with_or_without_its_wrapper(wrap: str, tmp_path: Path) -> None:
    state = state_dict()
    torch.save({wrap: state, "epoch": 3} if wrap else state, tmp_path / "net.pth")
    found = read_weights(tmp_path / "net.pth")
    assert list(found) == list(state)
    assert all(map(torch.equal, found.values(), state.values()))


def test_a_safetensors_file_is_read(tmp_path: Path) -> None:
    state = state_dict()
    safetensors.torch.save_file(state, tmp_path / "net.safetensors")
    found = read_weights(tmp_path / "net.safetensors")
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)


@pytest.mark.parametrize(("parts", "value"), [(["model"], 1.0), (["model", "average"], 2.0)])
def test_a_checkpoint_gives_the_weights_to_evaluate_with(
    parts: list[str], value: float, tmp_path: Path
) -> None:
    tensors = {"random.cpu": torch.zeros(3), "optimizer.state.0.step": torch.zeros(1)}
    for number, part in enumerate(parts, 1):
        tensors[f"{part}.linear1.weight"] = torch.full((2, 2), float(number))
    safetensors.torch.save_file(tensors, tmp_path / "last.safetensors")
    found = read_weights(tmp_path / "last.safetensors")
    assert list(found) == ["linear1.weight"]
    assert found["linear1.weight"].eq(value).all()


class Bomb:
    """What a pickle could do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("exploded"),)


def test_nothing_in_a_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Bomb()}, "bomb.pth")
    Path("plain.pt").write_bytes(pickle.dumps(Bomb(), protocol=2))
    for name in ("bomb.pth", "plain.pt"):
        refuse(Path(name), "holds more than tensors")
    assert not Path("exploded").exists()


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}", b"garbage" * 99])
def test_a_damaged_file_is_a_fault(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    refuse(tmp_path / name, "is damaged|no state dict")


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    refuse(tmp_path / "net.pth", "no such file")


@pytest.mark.parametrize("content", [[1, 2], {}, {"epoch": 3}, {1: torch.zeros(1)}, torch.ones(2)])
def test_what_is_no_state_dict_is_a_fault(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "net.pth")
    refuse(tmp_path / "net.pth", "no state dict")


def refuse(path: Path, message: str) -> None:
    with pytest.raises(FaultError, match=message) as caught:
        read_weights(path)
    assert caught.value.exit_code is ExitCode.CHECKPOINT
    (fault,) = caught.value.faults
    assert fault.cure
    assert fault.place == str(path)


def plan_of(layer: Any) -> Plan:
    return plan(Model.model_validate({"layers": [layer]}), input=(3, 64, 64), classes=4)


def test_default_weights_are_downloaded_without_running_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, Any] = {}

    def download(url: str, **options: Any) -> Tensors:
        asked.update(options, url=url)
        return {"a": torch.ones(1)}

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", download)
    assert list(gather_weights("DEFAULT", plan_of({"torchvision": "resnet18"}))) == ["a"]
    assert asked["url"] == models.ResNet18_Weights.DEFAULT.url
    assert asked["weights_only"] is True
    assert asked["check_hash"] is True


@pytest.mark.parametrize("error", [URLError("no route"), RuntimeError("hash"), HTTPException("x")])
def test_a_failed_download_is_a_fault_with_the_address(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(url: str, **_: Any) -> Tensors:
        raise error

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fail)
    with pytest.raises(FaultError, match="could not be downloaded") as caught:
        default_weights("resnet18")
    assert models.ResNet18_Weights.DEFAULT.url in caught.value.faults[0].cure


def test_only_torchvisions_networks_have_default_weights() -> None:
    with pytest.raises(FaultError, match=r"model.weights: only networks of torchvision"):
        gather_weights("DEFAULT", plan_of("flatten"))
