"""Teachers are read as they were trained, and recognised by their hash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional
from torchvision import models

from cnnctl.distillation.plan import plan_distillation
from cnnctl.distillation.teachers import open_teacher, would_download
from cnnctl.errors import FaultError
from cnnctl.experiment.distill import TorchvisionTeacher, TrainedTeacher
from tests.distillation.conftest import experiment, loaded, setup, teacher

NETWORK = "shufflenet_v2_x0_5"
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of one of torchvision's networks, of four classes."""
    torch.manual_seed(0)
    network = models.get_model(NETWORK, weights=None, num_classes=4)
    path = tmp_path_factory.mktemp("weights") / "network.pth"
    torch.save(network.state_dict(), path)
    return path


def pictures(distill: dict[str, Any], *, size: int = 32, **more: Any) -> dict[str, Any]:
    """A student of small coloured pictures of classes 0 and 1."""
    data = {"name": "fake", "shape": [3, size, size], "classes": 2, "samples": 8, "batch_size": 4}
    layers = [{"conv": {"out_channels": 2, "kernel_size": 3}}, "flatten", {"linear": "classes"}]
    return experiment(data=data, model={"layers": layers}, distill=distill, **more)


def of_torchvision(path: Path, **more: Any) -> dict[str, Any]:
    classes = ["2", "1", "0", "3"]
    return {"torchvision": {"model": NETWORK, "weights": str(path), "classes": classes, **more}}


def test_torchvisions_network_answers_as_it_does_there(weights: Path) -> None:
    distill = {"teacher": of_torchvision(weights, size=40), "temperature": 2}
    setting = setup(pictures(distill))
    found = setting.assemble().distilling
    assert found is not None
    inputs, _ = next(setting.batches.train.in_order())
    network = models.get_model(NETWORK, weights=None, num_classes=4)
    network.load_state_dict(torch.load(weights, weights_only=True))
    normalize = setting.experiment.data.normalize
    assert normalize is not None and not isinstance(normalize, str)
    mean, std = (part.view(3, 1, 1) for part in normalize.tensors())
    own = (inputs * std + mean - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1)
    own = functional.interpolate(own, (40, 40), mode="bilinear", antialias=True)
    with torch.no_grad():
        logits = network.eval()(own)
    expected = (logits[:, [2, 1]] / 2).softmax(dim=1)
    [answer] = found.answers(inputs, None)
    assert torch.allclose(answer, expected, atol=1e-5)


@pytest.mark.long
def test_its_layers_have_torchvisions_names(weights: Path) -> None:
    layers = [{"attention": {"student": "conv1", "teacher": "stage2"}}]
    distill = {"teacher": of_torchvision(weights), "layers": layers, "weight": 0}
    plan = plan_distillation(loaded(pictures(distill)))
    assert plan is not None
    assert plan.pairs[0].teacher == (48, 28, 28)  # at 224x224, as its own weights take
    assert plan.teachers[0].input == (3, 224, 224)


@pytest.mark.long
def test_its_classes_have_to_be_named(weights: Path) -> None:
    teacher_of = {"torchvision": {"model": NETWORK, "weights": str(weights)}}
    with pytest.raises(FaultError) as raised:
        plan_distillation(loaded(pictures({"teacher": teacher_of})))
    [fault] = raised.value.faults
    assert "another number of classes than 1,000" in fault.message or "1000" in fault.message
    assert "list the classes" in fault.hint


@pytest.mark.long
def test_grey_pictures_become_coloured(weights: Path) -> None:
    plain = pictures({"teacher": of_torchvision(weights, size=32)})
    plain["data"]["shape"] = [1, 32, 32]
    setting = setup(plain)
    found = setting.assemble().distilling
    assert found is not None
    inputs, _ = next(setting.batches.train.in_order())
    given = found.teaching.asked[0].inputs(inputs)
    assert given.shape == (4, 3, 32, 32)
    normalize = setting.experiment.data.normalize
    assert normalize is not None and not isinstance(normalize, str)
    pixels = inputs * normalize.std[0] + normalize.mean[0]
    expected = (pixels - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1)
    assert torch.allclose(given, expected, atol=1e-5)


def test_only_torchvisions_own_weights_are_downloaded(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    assert would_download(TorchvisionTeacher(model="resnet18"))
    assert not would_download(TorchvisionTeacher(model="resnet18", weights=str(weights)))
    assert not would_download(TrainedTeacher(path="runs/a"))


def test_the_hash_is_that_of_the_weights_not_of_the_place(tmp_path: Path) -> None:
    one, other = (teacher(tmp_path / f"{name}.safetensors") for name in "ab")
    third = teacher(tmp_path / "c.safetensors", experiment(seed=4))
    hashes = [open_teacher(TrainedTeacher(path=each), input=(3,)).sha256 for each in (one, other)]
    assert hashes[0] == hashes[1]
    assert hashes[0] != open_teacher(TrainedTeacher(path=third), input=(3,)).sha256


def test_a_teacher_at_chance_is_named(tmp_path: Path) -> None:
    plain = experiment()
    plain["data"]["validation"] = 0.25
    plain["optimizer"] = {"name": "sgd", "lr": 1e-9}
    path = teacher(tmp_path / "chance.safetensors", plain)
    plan = plan_distillation(loaded(experiment(distill={"teacher": path})))
    assert plan is not None
    accuracy = plan.teachers[0].accuracy
    assert accuracy is not None
    [line] = plan.describe(loaded(experiment()).experiment)
    assert ("hardly better than guessing" in line) == (accuracy < 0.4)
    assert f"validation accuracy {accuracy:.2%}" in line
