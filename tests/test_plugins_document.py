"""The examples of docs/plugins.md, as they stand there."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.conftest import Cli

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
    trained = cli("train", "arrays.yaml", "--data", ".")
    assert trained.returncode == 0, trained.stderr
    [accuracy] = re.findall(r"test: loss .*, accuracy ([\d.]+)%", trained.stdout)
    assert float(accuracy) > 85
    evaluated = cli("eval", "runs/arrays", "--data", ".", "--plugin", "my_data.py")
    assert evaluated.returncode == 0, evaluated.stderr
    refused = cli("eval", "runs/arrays", "--data", ".")
    assert refused.returncode == 4
    assert "no dataset is named arrays" in refused.stderr


def test_a_file_that_is_not_there_is_a_fault_in_the_data(cli: Cli, tmp_path: Path) -> None:
    write_examples(tmp_path)
    done = cli("train", "arrays.yaml", "--data", ".")
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
    done = cli("train", "arrays.yaml", "train.epochs=1", "--data", ".")
    assert done.returncode == 0, done.stderr
    assert "test: loss" in done.stdout


def test_numbers_that_are_none_are_a_fault_in_the_data(cli: Cli, tmp_path: Path) -> None:
    write_examples(tmp_path)
    write_digits(tmp_path, dtype="float64", wrong=np.nan)
    done = cli("train", "arrays.yaml", "--data", ".")
    assert done.returncode == 3
    assert "arrays, train split, has inputs that are not finite: nan in sample 7" in done.stderr


def test_fewer_samples_than_described_are_a_fault_in_the_data(cli: Cli, tmp_path: Path) -> None:
    write_examples(tmp_path)
    write_digits(tmp_path)
    done = cli("train", "arrays.yaml", "data.samples=5000", "--data", ".")
    assert done.returncode == 3
    assert "arrays has 1,000 training samples, not 5,000" in done.stderr
