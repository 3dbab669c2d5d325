"""Weights come from files and from torchvision."""

from __future__ import annotations

from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from torch import Tensor
from torchvision import models

from cnnctl.errors import FaultError
from cnnctl.model.network import Model, NetworkPlan, plan
from cnnctl.model.weights import default_weights, gather_weights, is_cached

Tensors = dict[str, Tensor]


def plan_of(layer: Any) -> NetworkPlan:
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
    assert models.ResNet18_Weights.DEFAULT.url in caught.value.faults[0].hint


def test_only_torchvisions_networks_have_default_weights() -> None:
    with pytest.raises(FaultError, match=r"model.weights: only torchvision networks"):
        gather_weights("DEFAULT", plan_of("flatten"))


def test_weights_in_the_cache_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert not is_cached("resnet18")
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "resnet18-f37072fd.pth").touch()
    assert is_cached("resnet18")
    assert not is_cached("resnet34")
