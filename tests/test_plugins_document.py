"""The examples of docs/plugins.md, as they stand there."""

import json
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from cnnctl.checkpoint import load
from tests.conftest import Cli, environment, rows_of
from tests.warm import Process

DOCUMENT = Path(__file__).parents[1] / "docs" / "plugins.md"


def write_examples(folder: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, content in re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)```", text, flags=re.DOTALL):
        (folder / name).write_text(content, encoding="utf-8")


def write_digits(folder: Path, *, dtype: str = "uint8", wrong: float | None = None) -> None:
    digits = load_digits()
    images = (digits.images * 15.9).astype(np.uint8).astype(dtype)
    if wrong is not None:
        images[7, 0, 0] = wrong
    parts = {"train": slice(0, 1000), "test": slice(1000, None)}
    arrays = {f"x_{split}": images[part] for split, part in parts.items()}
    arrays |= {f"y_{split}": digits.target[part] for split, part in parts.items()}
    np.savez(folder / "digits.npz", **arrays)


def test_the_data_set_trains_and_is_evaluated(cli: Cli, tmp_path: Path) -> None:
    write_examples(tmp_path)
    write_digits(tmp_path)
    trained = cli("train", "npz.yaml", "--data", ".")
    assert trained.returncode == 0, trained.stderr
    [accuracy] = re.findall(r"test: loss .*, accuracy ([\d.]+)%", trained.stdout)
    assert float(accuracy) > 85
    evaluated = cli("eval", "runs/npz", "--data", ".", "--plugin", "my_data.py")
    assert evaluated.returncode == 0, evaluated.stderr
    refused = cli("eval", "runs/npz", "--data", ".")
    assert refused.returncode == 4
    assert "no dataset is named npz" in refused.stderr


def test_a_file_that_is_not_there_is_a_fault_in_the_data(cli: Cli, tmp_path: Path) -> None:
    write_examples(tmp_path)
    done = cli("train", "npz.yaml", "--data", ".")
    assert done.returncode == 3
    assert "digits.npz: data: no such file\n    check --data and data.file" in done.stderr


def test_the_layer_is_one_like_any_other(cli: Cli, tmp_path: Path) -> None:
    write_examples(tmp_path)
    (tmp_path / "x.yaml").write_text(
        "plugins: [my_layers.py]\nmodel: {layers: [times: 3, flatten, linear: classes]}\n",
        encoding="utf-8",
    )
    done = cli("summary", "x.yaml")
    assert done.returncode == 0, done.stderr
    assert "times1" in done.stdout


@pytest.mark.parametrize("dtype", ["float64", "int64", "uint16", "float16"])
def test_images_of_other_dtypes_train_too(dtype: str, cli: Cli, tmp_path: Path) -> None:
    write_examples(tmp_path)
    write_digits(tmp_path, dtype=dtype)
    done = cli("train", "npz.yaml", "train.epochs=1", "--data", ".")
    assert done.returncode == 0, done.stderr
    assert "test: loss" in done.stdout


def test_numbers_that_are_none_are_a_fault_in_the_data(cli: Cli, tmp_path: Path) -> None:
    write_examples(tmp_path)
    write_digits(tmp_path, dtype="float64", wrong=np.nan)
    done = cli("train", "npz.yaml", "--data", ".")
    assert done.returncode == 3
    assert "npz, train split, has inputs that are not finite: nan in sample 7" in done.stderr


def test_fewer_samples_than_described_are_a_fault_in_the_data(cli: Cli, tmp_path: Path) -> None:
    write_examples(tmp_path)
    write_digits(tmp_path)
    done = cli("train", "npz.yaml", "data.samples=5000", "--data", ".")
    assert done.returncode == 3
    assert "npz has 1,000 training samples, not 5,000" in done.stderr


def test_classes_without_names_are_a_fault_in_the_data(cli: Cli, tmp_path: Path) -> None:
    write_examples(tmp_path)
    write_digits(tmp_path)
    plugin = tmp_path / "my_data.py"
    code = plugin.read_text(encoding="utf-8")
    plugin.write_text(code.replace("range(self.classes)", "range(8)"), encoding="utf-8")
    for command in ("train", "check"):
        done = cli(command, "npz.yaml", *(["--data", "."] if command == "train" else []))
        assert done.returncode == 2
        assert "data: target has 10 outputs, but 8 names of classes\n    name each" in done.stderr


def write_pictures(folder: Path) -> None:
    digits = load_digits()
    for number in range(400):
        split = "train" if number < 300 else "test"
        place = folder / split / f"digit {digits.target[number]}"
        place.mkdir(parents=True, exist_ok=True)
        pixels = (digits.images[number] * 15.9).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"{number:04}.png")


def kill_in_training(run: Path, *arguments: str) -> None:
    """Train until two epochs are written down, then kill."""
    process = Process(["train", *arguments], cwd=run.parents[1], env=environment())
    metrics = run / "metrics.jsonl"
    while process.poll() is None and not (
        metrics.is_file() and metrics.read_text().count("\n") > 1
    ):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.long
def test_folders_train_alike_from_memory_and_mapped_killed_or_not(cli: Cli, tmp_path: Path) -> None:
    write_examples(tmp_path)
    write_pictures(tmp_path / "pictures")
    asked = ["folders.yaml", "--data", "pictures", "train.epochs=25", "train.threads=1"]
    runs = []
    for rows in ("memory", "mapped"):
        options = [*asked, f"data.rows={rows}", f"name={rows}"]
        run = tmp_path / "runs" / rows
        kill_in_training(run, *options)
        done = cli("train", *options, "--resume")
        assert done.returncode == 0, done.stderr
        runs.append(run)
    done = cli("train", *asked, "name=unbroken")
    assert done.returncode == 0, done.stderr
    runs.append(tmp_path / "runs" / "unbroken")
    assert "folders: 270 train, 30 validation, 100 test" in done.stdout
    first, *others = (load(run / "checkpoints" / "last.safetensors") for run in runs)
    for run, other in zip(runs[1:], others, strict=True):
        assert rows_of(run) == rows_of(runs[0])
        assert first.tensors.keys() == other.tensors.keys()
        assert all(torch.equal(first.tensors[name], other.tensors[name]) for name in first.tensors)
    assert not [file for file in (tmp_path / "pictures").iterdir() if file.is_file()]


def test_folders_are_known_after_they_have_moved(cli: Cli, tmp_path: Path) -> None:
    write_examples(tmp_path)
    write_pictures(tmp_path / "pictures")
    done = cli("train", "folders.yaml", "--data", "pictures", "train.epochs=1")
    assert done.returncode == 0, done.stderr
    (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "train").rename(tmp_path / "out of the way")
    shown = cli("summary", "runs/folders", "--plugin", "my_folders.py")
    assert shown.returncode == 0, shown.stderr
    evaluated = cli(
        *("eval", "runs/folders", "--data", "elsewhere", "--plugin", "my_folders.py", "--json")
    )
    assert evaluated.returncode == 0, evaluated.stderr
    found = json.loads(evaluated.stdout)
    assert found["samples"] == 100
    assert [each["name"] for each in found["classes"]] == [f"digit {n}" for n in range(10)]


def test_folders_without_pictures_are_a_fault_in_the_data(cli: Cli, tmp_path: Path) -> None:
    write_examples(tmp_path)
    for asked, code in (("train", 3), ("check", 2), ("summary", 3)):
        option = "--data-root" if asked == "check" else "--data"
        done = cli(asked, "folders.yaml", option, "pictures")
        assert done.returncode == code
        assert "no pictures\n    check --data" in done.stderr


def test_an_experiment_on_folders_is_checked_and_shown_where_they_are(
    cli: Cli, tmp_path: Path
) -> None:
    write_examples(tmp_path)
    write_pictures(tmp_path / "pictures")
    checked = cli("check", "folders.yaml", "--data-root", "pictures")
    assert (checked.returncode, checked.stderr) == (0, "")
    read = cli("check", "--data", "folders.yaml", "--data-root", "pictures")
    assert read.returncode == 0, read.stderr
    assert "all samples read: " in read.stdout
    shown = cli("summary", "folders.yaml", "--data", "pictures", "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["layers"][-1]["output"] == [10]
