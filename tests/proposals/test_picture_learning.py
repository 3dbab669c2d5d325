from pathlib import Path

import pytest

from cnnctl.proposals import picture_learning
from cnnctl.proposals.lesson import Lesson
from cnnctl.proposals.machine import cpu
from cnnctl.proposals.picture_learning import PictureLesson, batch_size, plan_for, shows_sides


@pytest.mark.parametrize(
    "classes",
    [
        [*"0123456789"],
        [*"ABC"],
        ["digit_0", "digit_1"],
        ["zero", "one"],
        ["turn left", "stop", "yield"],
        ["Right", "up"],
        ["а", "б"],  # Cyrillic
    ],
)
def test_letters_digits_and_sides_are_not_mirrored(classes: list[str]) -> None:
    assert shows_sides(classes) in classes


@pytest.mark.parametrize(
    "classes",
    [
        ["cat", "dog"],
        ["猫", "狗"],
        ["airplane", "bright", "leftover"],
        ["big cat: #1", "dog"],
        ["001.Albatross", "002.Crow"],
        ["a", "cat", "dog"],
        ["", " "],
    ],
)
def test_everything_else_is(classes: list[str]) -> None:
    assert not shows_sides(classes)


@pytest.mark.parametrize(
    ("samples", "size"),
    [(20, "all"), (32, 8), (200, 8), (1000, 32), (3000, 128), (45_000, 128)],
)
def test_a_batch_leaves_enough_steps(samples: int, size: int | str) -> None:
    assert batch_size(samples) == size


def lesson(samples: int, *, is_resized: bool = True) -> PictureLesson:
    counts = {"cat": samples // 2, "dog": samples // 2}
    learned = Lesson(samples, "classification", 2, counts)
    return PictureLesson(learned, (32, 32), 3, is_resized=is_resized)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's cache, with the weights of a small network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(picture_learning, "this_machine", lambda: cpu(2))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "mobilenet_v3_small-047dcff4.pth").touch()
    return folder


def test_few_pictures_start_from_weights_that_are_there(hub: Path) -> None:
    assert plan_for(lesson(500), pretrained=None).model["torchvision"] == "mobilenet_v3_small"
    assert "zoo" in plan_for(lesson(500), pretrained=False).model
    assert "zoo" in plan_for(lesson(500, is_resized=False), pretrained=None).model
    assert "zoo" in plan_for(lesson(2000), pretrained=None).model
    (hub / "mobilenet_v3_small-047dcff4.pth").unlink()
    assert "zoo" in plan_for(lesson(500), pretrained=None).model


@pytest.mark.long
def test_weights_that_are_asked_for_need_not_be_there(hub: Path) -> None:
    assert plan_for(lesson(500), pretrained=True).model["torchvision"] == "resnet18"
    assert plan_for(lesson(3000), pretrained=True).model["torchvision"] == "mobilenet_v3_small"
    (hub / "resnet18-f37072fd.pth").touch()
    assert plan_for(lesson(500), pretrained=None).model["torchvision"] == "resnet18"
