"""Teachers answer in the student's terms: its classes, heads and units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cnnctl.distillation.distilling import Distilling
from cnnctl.distillation.lessons import ValueLesson
from cnnctl.distillation.plan import plan_distillation
from cnnctl.errors import FaultError
from cnnctl.trained import open_trained
from tests.distillation.conftest import (
    NAMES,
    NUMBERS,
    POINTS,
    data_of,
    experiment,
    loaded,
    setup,
    teacher,
)


def distilling(distill: dict[str, Any], **more: Any) -> Distilling:
    """The distillation of a new run."""
    found = setup(experiment(distill=distill, **more)).assemble().distilling
    assert found is not None
    return found


def own_answers(path: str) -> Tensor:
    """What a checkpoint says to the points, by itself."""
    known = open_trained(Path(path), device="cpu")
    outputs: Tensor = known.network(known.preprocessing.inputs(POINTS))
    return outputs.detach()


def given(path: str) -> Tensor:
    """The points as the student takes them."""
    return open_trained(Path(path), device="cpu").preprocessing.inputs(POINTS)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A teacher of three classes."""
    return teacher(tmp_path_factory.mktemp("teacher") / "teacher.safetensors")


def other(taught: str, *, folder: Path, seed: int = 9, **data: Any) -> str:
    path = folder / f"other{seed}.safetensors"
    return teacher(path, experiment(seed=seed, data=data_of(**data)))


def test_the_answer_is_the_softened_one(taught: str) -> None:
    [answer] = distilling({"teacher": taught, "temperature": 2}).answers(given(taught), None)
    assert torch.allclose(answer, (own_answers(taught) / 2).softmax(dim=1), atol=1e-6)


def test_classes_are_those_of_the_same_name(taught: str, tmp_path: Path) -> None:
    turned = [NAMES[2], NAMES[0], NAMES[1]]
    path = other(taught, folder=tmp_path, classes=turned, targets=[(n + 1) % 3 for n in NUMBERS])
    [answer] = distilling({"teacher": path, "temperature": 1}).answers(given(path), None)
    expected = own_answers(path).softmax(dim=1)
    assert torch.allclose(answer, expected[:, [1, 2, 0]], atol=1e-6)


def test_a_teacher_may_know_more_classes(taught: str, tmp_path: Path) -> None:
    targets = [number % 4 for number in range(24)]
    path = other(taught, folder=tmp_path, classes=["ape", *NAMES], targets=targets)
    [answer] = distilling({"teacher": path, "temperature": 1}).answers(given(path), None)
    assert torch.allclose(answer, own_answers(path)[:, 1:].softmax(dim=1), atol=1e-6)


def faults(distill: dict[str, Any], **more: Any) -> list[str]:
    plain = experiment(distill=distill, **more)
    with pytest.raises(FaultError) as raised:
        plan_distillation(loaded(plain))
    return [f"{'.'.join(map(str, f.path))}: {f.message} ({f.hint})" for f in raised.value.faults]


def test_a_teacher_that_lacks_a_class_is_refused(taught: str) -> None:
    [fault] = faults({"teacher": ["a", taught][1:]}, data=data_of(classes=["cat", "dgo", "eel"]))
    assert fault.startswith("distill.teacher.0")
    assert "does not know dgo (did you mean dog?)" in fault


def test_a_missing_teacher_is_a_fault_of_its_option(tmp_path: Path) -> None:
    [fault] = faults({"teacher": str(tmp_path / "none.safetensors")})
    assert fault.startswith("distill.teacher.0: ")
    assert "no such run folder or checkpoint: " in fault
    [fault] = faults({"teacher": str(tmp_path / "resnet18")})
    assert "write teacher: {torchvision: resnet18}" in fault


def test_a_loss_without_logits_is_refused(taught: str) -> None:
    [fault] = faults({"teacher": taught}, loss="mse")
    assert "mse has no logits" in fault


def test_a_teacher_of_other_samples_is_refused(taught: str) -> None:
    points = POINTS[:, :2].tolist()
    [fault] = faults({"teacher": taught}, data=data_of(inputs=points))
    assert "takes 3 features, and the data has 2 features" in fault


@pytest.mark.parametrize(("student", "of"), [("linear9", "lesson"), ("linear1", "linear9")])
def test_an_unknown_layer_is_a_fault_of_its_option(student: str, of: str, taught: str) -> None:
    layers = [{"hint": {"student": student, "teacher": of}}]
    [fault] = faults({"teacher": taught, "layers": layers})
    option = "student" if student == "linear9" else "teacher"
    assert fault.startswith(f"distill.layers.0.hint.{option}: ")
    assert "linear1" in fault


def test_several_teachers_are_averaged(taught: str, tmp_path: Path) -> None:
    path = other(taught, folder=tmp_path)
    [answer] = distilling({"teacher": [taught, path]}).answers(given(taught), None)
    each = [(own_answers(source) / 4).softmax(dim=1) for source in (taught, path)]
    assert torch.allclose(answer, (each[0] + each[1]) / 2, atol=1e-6)


def test_another_normalisation_is_undone(taught: str) -> None:
    normalize = {"mean": [1.0, -2.0, 3.0], "std": [2.0, 0.5, 1.0]}
    distill = {"teacher": taught, "temperature": 1}
    found = distilling(distill, data=data_of(normalize=normalize))
    mean, std = (torch.tensor(normalize[name]) for name in ("mean", "std"))
    [answer] = found.answers((POINTS - mean) / std, None)
    assert torch.allclose(answer, own_answers(taught).softmax(dim=1), atol=1e-5)


TWO = {
    "targets": {"sort": NUMBERS, "far": [[float(n), float(-n)] for n in range(24)]},
    "classes": {"sort": NAMES},
}


def heads(*names: str) -> dict[str, Any]:
    layers = {name: {"layers": [{"linear": "classes"}]} for name in names}
    values = {"far": {**layers["far"], "loss": "mse", "weight": 0.5}} if "far" in names else {}
    return {"layers": [{"linear": 4}, "tanh"], "heads": layers | values}


def test_each_head_learns_from_the_head_of_its_name(tmp_path: Path) -> None:
    path = teacher(
        tmp_path / "two.safetensors", experiment(data=data_of(**TWO), model=heads("far", "sort"))
    )
    found = distilling({"teacher": path}, data=data_of(**TWO), model=heads("sort", "far"))
    sort, far = found.answers(given(path), None)
    outputs = own_answers(path)
    assert torch.allclose(sort, (outputs[:, 2:] / 4).softmax(dim=1), atol=1e-6)
    assert torch.allclose(far, outputs[:, :2], atol=1e-5)
    assert found.weights == [0.7 * 16, 0.7 * 0.5]
    sums = found.agreement_sums(torch.cat([sort, far], dim=1), (sort, far))
    assert found.agreements(sums.tolist(), 24) == {
        "agreement": 1,
        "sort_agreement": 1,
        "far_agreement": 1,
    }


def test_values_are_learned_in_the_units_of_the_student(tmp_path: Path) -> None:
    values = [[float(n**2), n / 10] for n in range(24)]
    plain = {"targets": values, "classes": [], "normalize_targets": "auto"}
    path = teacher(tmp_path / "values.safetensors", experiment(data=data_of(**plain), loss="mse"))
    mine = {"mean": [3.0, 1.0], "std": [10.0, 0.5]}
    found = distilling(
        {"teacher": path}, data=data_of(**plain | {"normalize_targets": mine}), loss="mse"
    )
    [answer] = found.answers(given(path), None)
    known = open_trained(Path(path), device="cpu")
    in_units = known.in_own_units(known.tasks[0], own_answers(path))
    expected = (in_units - torch.tensor(mine["mean"])) / torch.tensor(mine["std"])
    assert torch.allclose(answer, expected, atol=1e-4)


def test_the_agreement_of_values_is_r2() -> None:
    values = [[float(n), n / 10] for n in range(24)]
    drawn = np.random.default_rng(0).normal(size=(2, 24, 2))
    plain = {"targets": values, "classes": []}
    task = loaded(experiment(data=data_of(**plain), loss="mse")).tasks[0]
    lesson = ValueLesson(task, (), 4.0)
    sums = sum(
        lesson.agreement_sums(torch.tensor(drawn[0, part]), torch.tensor(drawn[1, part]))
        for part in (slice(0, 10), slice(10, 24))
    )
    assert isinstance(sums, Tensor)
    spread = ((drawn[1] - drawn[1].mean(axis=0)) ** 2).sum()
    expected = 1 - ((drawn[1] - drawn[0]) ** 2).sum() / spread
    assert lesson.agreement(sums.tolist(), 24) == pytest.approx(expected)


def test_labels_are_learned_from_sigmoids(tmp_path: Path) -> None:
    rows = [[float(n % 2), float(n % 3 == 0), 1.0] for n in range(24)]
    plain = experiment(data=data_of(targets=rows), loss="bce_with_logits")
    path = teacher(tmp_path / "labels.safetensors", plain)
    found = distilling({"teacher": path}, data=data_of(targets=rows), loss="bce_with_logits")
    [answer] = found.answers(given(path), None)
    assert torch.allclose(answer, (own_answers(path) / 4).sigmoid(), atol=1e-6)
    assert found.sizes == [3]
