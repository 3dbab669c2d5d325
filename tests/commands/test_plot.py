"""`cnnctl plot`: what it prints and writes."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from tests.conftest import invoke, rows_of


def test_the_curves_of_a_run_are_printed(digits_run: Path) -> None:
    done = invoke("plot", digits_run, COLUMNS="60")
    assert done.exit_code == 0, done.output
    titles = [line for line in done.stdout.splitlines() if line[:1].isalpha()]
    assert titles == ["Loss", "Accuracy, %", "Learning rate"]
    assert all(len(line) <= 60 for line in done.stdout.splitlines())


def test_json_has_the_rows_of_the_run(digits_run: Path) -> None:
    [found] = json.loads(invoke("plot", digits_run, "--json").stdout)
    assert found["run"] == "tiny"
    clocked = ("seconds", "samples_per_second")
    rows = [{k: v for k, v in row.items() if k not in clocked} for row in found["rows"]]
    assert rows == rows_of(digits_run)


def test_curves_are_drawn_to_a_file(digits_run: Path, diabetes_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "curves.png"
    runs = digits_run, diabetes_run / "checkpoints" / "last.safetensors"
    done = invoke("plot", *runs, "-o", file)
    assert (done.exit_code, done.stdout) == (0, f"{file}\n")
    with Image.open(file) as picture:
        assert picture.height > picture.width > 1000


def test_a_file_of_another_kind_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    done = invoke("plot", tmp_path / "nothing", "-o", tmp_path / "curves.gif")
    assert done.exit_code == 2
    assert "use a file name ending in .png or .svg" in done.stderr


MOONS = """\
data: {name: moons, samples: 40, test_samples: 30, batch_size: 20}
model: {layers: [{linear: 2}, tanh, {linear: classes}]}
optimizer: {name: sgd, lr: 0.1}
train: {epochs: 1}
"""


def moons(folder: Path) -> Path:
    path = folder / "moons.yaml"
    path.write_text(MOONS, encoding="utf-8")
    return path


def test_regions_of_an_untrained_network_are_printed(tmp_path: Path) -> None:
    done = invoke("plot", "data.noise=0.2", moons(tmp_path), "--learned", COLUMNS="60")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "moons, before training"
    assert lines[-2] == "a upper   b lower   capitals: samples"
    assert lines[-1].startswith("30 test samples, ")


def test_options_imply_what_was_learned(tmp_path: Path) -> None:
    file = tmp_path / "layer.png"
    done = invoke("plot", moons(tmp_path), "--layer", "tanh1", "--split", "train", "-o", file)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{file}\n36 training samples, ")
    assert file.stat().st_size > 10_000


def test_regions_as_json(tmp_path: Path) -> None:
    done = invoke("plot", moons(tmp_path), "--answer", "lower", "--json")
    found = json.loads(done.stdout)
    assert found["quantity"] == "probability of lower"
    assert [len(found["answers"]), len(found["answers"][0])] == [80, 80]


def test_a_curve_of_a_run(diabetes_run: Path) -> None:
    done = invoke("plot", diabetes_run, "--features", "bmi,s5", COLUMNS="70")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[1] == "s5"
    assert lines[-1] == "8 other coordinates at their medians"


def test_two_networks_and_wrong_samples_are_faults(digits_run: Path, diabetes_run: Path) -> None:
    done = invoke("plot", digits_run, diabetes_run, "--learned")
    assert (done.exit_code, done.stderr.splitlines()[0]) == (
        *(2, "--learned draws one network, not 2"),
    )
    done = invoke("plot", digits_run, "--plane", "1,2")
    assert done.stderr.startswith("--plane takes the numbers of three samples, not 1,2\n")
    done = invoke("plot", digits_run, "--learned")
    assert "choose two of them with --features 0,3" in done.stderr


def test_the_layers_of_a_watched_run_are_drawn(tiny: Path, tmp_path: Path) -> None:
    assert invoke("train", tiny, "train.watch=2", "--runs", tmp_path / "runs").exit_code == 0
    run = tmp_path / "runs" / "tiny"
    done = invoke("plot", run, "--watch", COLUMNS="60")
    titles = [line for line in done.stdout.splitlines() if line[:1].isalpha()]
    assert titles == ["Gradient, root mean square", "Update / weight, root mean squares"]
    [found] = json.loads(invoke("plot", run, "--watch", "--json").stdout)
    steps = [record["step"] for record in found["records"]]
    assert steps[:3] == [1, 2, 4]
    assert found["records"][0]["layers"].keys() == {"linear1", "relu1", "linear2"}
