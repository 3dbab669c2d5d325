"""`cnnctl preview`: the sheet that it writes, read back, and what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cnnctl.drawing.sheet import Picture, Row, Sheet
from tests.conftest import Cli, invoke

PETS = """\
data:
  name: image_folder
  path: pets
  validation: 0
  test: 0
  batch_size: 3
  augment: [{horizontal_flip: 1}]
model: {layers: [flatten, {linear: classes}]}
optimizer: {name: sgd, lr: 0.25, momentum: 0.9}
scheduler: {name: one_cycle}
train: {epochs: 2}
"""


def pictures(folder: Path, *, mode: str) -> list[NDArray[np.uint8]]:
    """Two classes of two pictures of 5 x 4 pixels each, as class folders."""
    random = np.random.default_rng(0)
    made = []
    for name in ("cat", "cat", "猫", "猫"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        shape = (4, 5, 3) if mode == "RGB" else (4, 5)
        made.append(random.integers(0, 256, shape, dtype=np.uint8))
        Image.fromarray(made[-1]).save(folder / name / f"{len(made)}.png")
    return made


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_before_and_after_augmentation(cli: Cli, tmp_path: Path, mode: str) -> None:
    made = pictures(tmp_path / "pets", mode=mode)
    (tmp_path / "pets.yaml").write_text(PETS, encoding="utf-8")
    size = "data.size=[4, 5]"
    done = cli("preview", "pets.yaml", size)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "pets-preview.png",
        f"4 of 4 training samples of image_folder, {3 if mode == 'RGB' else 1}x4x5, as stored and "
        "as drawn in epochs 1 to 2",
        "augmentation: horizontal_flip: {p: 1.0, alternating: false}",
        "2 steps per epoch, 4 in 2 epochs",
        "learning rate: 0.01 at the start, 0.203 at its peak (step 2), 1e-06 at the end",
        "class names that the sheet's font lacks: #1 猫",
    ]
    sheet = Image.open(tmp_path / "pets-preview.png")
    factor = 19  # the whole times that 5 pixels fit into 96
    cell = Picture(Image.new("RGB", (5 * factor, 4 * factor)), ("cat",))
    layout = Sheet([Row([cell] * 3)] * 4, ["stored", "epoch 1", "epoch 2"])
    shown = []
    for row in range(4):
        stored, *drawn = (_read(sheet, layout, row, column, factor) for column in range(3))
        shown.append(stored)
        for each in drawn:
            assert np.array_equal(each, stored[:, ::-1])
    expected = [each if mode == "RGB" else each[:, :, None].repeat(3, axis=2) for each in made]
    assert sorted(each.tobytes() for each in shown) == sorted(each.tobytes() for each in expected)


def _read(
    sheet: Image.Image, layout: Sheet, row: int, column: int, factor: int
) -> NDArray[np.uint8]:
    """The pixels of a cell, each of which is a square of one colour."""
    x, y = layout.corner(row, column)
    cell = np.asarray(sheet)[y : y + 4 * factor, x : x + 5 * factor]
    pixels = cell[::factor, ::factor]
    assert np.array_equal(pixels.repeat(factor, axis=0).repeat(factor, axis=1), cell)
    return pixels


@pytest.mark.parametrize(
    "options",
    [
        ["mlp-spirals"],
        ["tdnn-waveform", "data.augment=[{noise: 0.1}]"],
        ["regression", "scheduler=plateau"],
        ["digit-and-parity", "--split", "validation"],
        ["lenet", "data={name: fake, shape: [2, 300, 32], batch_size: 8}"],
    ],
    ids=lambda options: options[0],
)
def test_signals_vectors_and_large_images_are_drawn(
    tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke("preview", *options, "--samples", "2", "-o", "sheet.PNG")
    assert (done.exit_code, done.stderr) == (0, "")
    with Image.open("sheet.PNG") as sheet:
        assert (sheet.format, sheet.width >= 480) == ("PNG", True)
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.PNG"]  # no run folder


def test_vectors_and_constant_rates_are_named(tmp_path: Path, tiny: Path) -> None:
    words = ("mlp-spirals", "scheduler=constant", "optimizer.lr=0.5", "-o", tmp_path / "x.png")
    shown = invoke("preview", *words).stdout
    assert "samples of spirals, 2 features, as stored" in shown
    assert "learning rate: 0.5, constant\n" in shown


def test_the_sheet_is_replaced_and_the_same_again(tmp_path: Path, tiny: Path) -> None:
    sheet = tmp_path / "sheet.png"
    sheet.write_bytes(b"old")
    assert invoke("preview", tiny, "-o", sheet).exit_code == 0
    first = sheet.read_bytes()
    assert first.startswith(b"\x89PNG")
    assert invoke("preview", tiny, "-o", sheet).exit_code == 0
    assert sheet.read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["-o", "none/x.png"], 6, "none/x.png: cannot be written: No such file or directory"),
        (["-o", "folder.png"], 6, "folder.png: cannot be written: Is a directory"),
        (["-o", "file/x.png"], 6, "    a file has this name; choose a folder with -o"),
        (["-o", "tiny.yaml"], 2, "cannot draw to tiny.yaml: unknown format"),
        (["-o", "sheet"], 2, "    use a file name ending in .png"),
        (["--split", "validation", "data.validation=0"], 3, "digits has no validation split"),
        (["data.batch_sice=3"], 2, "    did you mean batch_size?"),
        (["other.yaml"], 2, "expected one, but got 2: tiny.yaml, other.yaml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_drawn_is_said(
    tiny: Path, arguments: list[str], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny.parent
    monkeypatch.chdir(folder)
    (folder / "folder.png").mkdir()
    (folder / "file").touch()
    before = tiny.read_bytes()
    done = invoke("preview", tiny.name, *arguments)
    assert done.exit_code == code
    assert said in done.stderr.splitlines()
    assert sorted(path.name for path in folder.iterdir()) == ["file", "folder.png", "tiny.yaml"]
    assert tiny.read_bytes() == before


def test_a_checkpoint_is_not_an_experiment(digits_run: Path) -> None:
    for source in (digits_run, digits_run / "checkpoints" / "best.safetensors"):
        done = invoke("preview", source)
        assert done.exit_code == 2
        assert done.stderr == (
            f"{source}: is not an experiment file\n    give the YAML file, or a run's config.yaml\n"
        )


def test_the_config_of_a_run_can_be_drawn(digits_run: Path, tmp_path: Path) -> None:
    done = invoke("preview", digits_run / "config.yaml", "-o", tmp_path / "sheet.png")
    assert (done.exit_code, done.stderr) == (0, "")


def test_overrides_alone_are_no_experiment() -> None:
    done = invoke("preview", "train.epochs=3")
    assert (done.exit_code, done.stderr) == (
        2,
        "no config file given\n    try cnnctl preview lenet\n",
    )
