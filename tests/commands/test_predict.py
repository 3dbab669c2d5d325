"""`cnnctl predict`: the same answers as `eval`, for whatever holds the inputs."""

import csv
import io
import json
import math
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_diabetes

from cnnctl.data.sources.digits import Digits
from cnnctl.errors import ExitCode
from tests.conftest import Cli, invoke


@pytest.fixture(scope="session")
def digit_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test split of the digits as pictures, in folders named after their classes."""
    root = tmp_path_factory.mktemp("pictures") / "test"
    samples = Digits().load("test", root=Path())
    taken = samples.rows.take(torch.arange(len(samples)))
    for number, (pixels, label) in enumerate(zip(taken, samples.targets.tolist(), strict=True)):
        (root / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[0].numpy()).save(root / str(label) / f"{number:03}.png")
    return root


def answers(*words: str | Path, exit_code: int = 0) -> list[dict[str, Any]]:
    done = invoke("predict", *words, "--jsonl")
    assert done.exit_code == exit_code, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def refused(exit_code: int, *words: str | Path) -> str:
    done = invoke("predict", *words)
    assert done.exit_code == exit_code, done.output
    return done.stderr


def test_all_answers_together_are_what_eval_measures(
    digits_run: Path, digit_pictures: Path
) -> None:
    found = answers(digits_run, digit_pictures)
    true = [Path(each["input"]).parent.name for each in found]
    measured = json.loads(invoke("eval", digits_run, "--json").stdout)
    right = sum(each["class"] == label for each, label in zip(found, true, strict=True))
    assert right / len(found) == measured["accuracy"]
    losses = [-math.log(e["probabilities"][label]) for e, label in zip(found, true, strict=True)]
    assert math.fsum(losses) / len(losses) == pytest.approx(measured["loss"], rel=1e-6)
    for each in found:
        assert sum(each["probabilities"].values()) == pytest.approx(1, abs=1e-6)
        assert each["probability"] == max(each["probabilities"].values())


def test_a_picture_has_the_same_answer_from_anywhere(
    digits_run: Path, digit_pictures: Path, tmp_path: Path
) -> None:
    together = {each["input"]: each for each in answers(digits_run, digit_pictures)}
    names = sorted(together)[::90]
    for name in names:
        assert answers(digits_run, name) == [together[name]]
    archive = Path(shutil.make_archive(str(tmp_path / "x"), "zip", digit_pictures))
    tar = Path(shutil.make_archive(str(tmp_path / "x"), "gztar", digit_pictures))
    array = np.stack([np.asarray(Image.open(name)) for name in names])
    np.save(tmp_path / "some.npy", array)
    np.savez(tmp_path / "some.npz", array[:, None])
    pattern = f"{digit_pictures}/*/*.png"
    for source in (archive, tar, pattern):
        own = [each["probabilities"] for each in answers(digits_run, source)]
        expected = [together[name]["probabilities"] for name in together]
        assert sorted(map(str, own)) == sorted(map(str, expected))
    for source in (tmp_path / "some.npy", tmp_path / "some.npz"):
        found = answers(digits_run, source)
        assert [each["input"] for each in found] == [f"{source}[{at}]" for at in range(len(names))]
        assert [e["probabilities"] for e in found] == [together[n]["probabilities"] for n in names]


def test_bytes_and_numbers_from_0_to_1_are_answered_together(
    digits_run: Path, digit_pictures: Path, tmp_path: Path
) -> None:
    picture = next(digit_pictures.rglob("*.png"))
    scaled = np.asarray(Image.open(picture), np.float32) / 255
    np.save(tmp_path / "scaled.npy", scaled)
    one, other = answers(digits_run, picture, tmp_path / "scaled.npy")
    assert one["class"] == other["class"]
    assert one["probability"] == pytest.approx(other["probability"], abs=1e-5)


@pytest.mark.parametrize("separator", ["\n", "\0"])
def test_names_come_from_stdin(
    separator: str, digits_run: Path, digit_pictures: Path, cli: Cli, tmp_path: Path
) -> None:
    names = sorted(map(str, digit_pictures.rglob("*.png")))[:3]
    (tmp_path / "names").write_text(separator.join(names) + separator)
    expected = answers(digits_run, *names)
    with (tmp_path / "names").open("rb") as stdin:
        monkey = invoke_with(stdin, "predict", digits_run, "-", "--jsonl")
    assert [json.loads(line) for line in monkey.splitlines()] == expected


def invoke_with(stdin: io.BufferedReader, *words: str | Path) -> str:
    from typer.testing import CliRunner

    from cnnctl.commands import app

    done = CliRunner().invoke(app, [*map(str, words)], input=stdin.read(), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_what_cannot_be_read_is_named_and_the_others_are_answered(
    digits_run: Path, digit_pictures: Path, tmp_path: Path
) -> None:
    good = next(digit_pictures.rglob("*.png"))
    (tmp_path / "broken.png").write_bytes(good.read_bytes()[:60])
    (tmp_path / "empty.png").touch()
    (tmp_path / "none").mkdir()
    words = [tmp_path / name for name in ("broken.png", "empty.png", "god.png", "none")]
    shutil.copy(good, tmp_path / "good.png")
    found = answers(digits_run, *words, good, exit_code=ExitCode.DATA)
    assert ["error" in each for each in found] == [True, True, True, True, False]
    said = refused(ExitCode.DATA, digits_run, *words, good)
    assert "empty.png: is empty" in said
    assert f"did you mean {tmp_path / 'good.png'}?" in said
    assert "has no pictures among 0 files" in said
    assert not invoke("predict", digits_run, *words).stdout


def test_a_table_and_csv_show_the_likeliest_classes(digits_run: Path, digit_pictures: Path) -> None:
    names = sorted(map(str, digit_pictures.rglob("*.png")))[:2]
    exact = answers(digits_run, *names)
    shown = invoke("predict", digits_run, *names).stdout
    assert f"{exact[0]['class']}" in shown
    assert f"{exact[0]['probability']:.4f}" in shown
    printed = invoke("predict", digits_run, *names, "--csv", "--top-k", "2").stdout
    rows = list(csv.reader(io.StringIO(printed)))
    assert rows[0] == ["input", "class", "probability", "class_2", "probability_2"]
    for row, each in zip(rows[1:], exact, strict=True):
        best = list(each["probabilities"].items())[:2]
        assert row == [each["input"], *(str(cell) for pair in best for cell in pair)]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_file_is_written_as_a_whole(
    suffix: str, digits_run: Path, digit_pictures: Path, tmp_path: Path
) -> None:
    names = sorted(map(str, digit_pictures.rglob("*.png")))[:2]
    file = tmp_path / f"answers{suffix}"
    done = invoke("predict", digits_run, *names, "-o", file)
    assert done.stdout == f"2 answers: {file}\n"
    printed = invoke("predict", digits_run, *names, f"--{suffix[1:]}").stdout
    assert file.read_text() == printed
    before = file.read_bytes()
    refused(ExitCode.USAGE, digits_run, *names, "-o", tmp_path / "answers.xlsx")
    refused(ExitCode.USAGE, digits_run, *names, "-o", file, "--csv", "--jsonl")
    said = refused(ExitCode.STORAGE, digits_run, *names, "-o", tmp_path / "missing" / f"x{suffix}")
    assert "--runs" not in said
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_values_are_in_the_units_of_the_data(diabetes_run: Path, tmp_path: Path) -> None:
    features, _ = load_diabetes(return_X_y=True, scaled=False)
    np.save(tmp_path / "x.npy", features[:5].astype(np.float32))
    found = answers(diabetes_run, tmp_path / "x.npy")
    assert all(25 < each["values"][0] < 346 for each in found)  # the range of the target
    np.save(tmp_path / "one.npy", features[0].astype(np.float32))
    assert answers(diabetes_run, tmp_path / "one.npy")[0]["values"] == found[0]["values"]
    printed = invoke("predict", diabetes_run, tmp_path / "x.npy", "--csv").stdout.splitlines()
    assert printed[0] == "input,value"


def test_an_array_of_another_shape_is_refused(diabetes_run: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 4), np.float32))
    assert "has the shape (3, 4), not (N, 10)" in refused(3, diabetes_run, tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", np.full((2, 10), np.nan, np.float32))
    assert "not finite" in refused(3, diabetes_run, tmp_path / "x.npy")
    Image.new("L", (8, 8)).save(tmp_path / "x.png")
    assert "not pictures" in refused(3, diabetes_run, tmp_path / "x.png")
    np.savez(tmp_path / "x.npz", x=np.zeros((2, 10)), images=np.zeros((2, 10)), y=np.zeros(2))
    said = refused(3, diabetes_run, tmp_path / "x.npz")
    assert "has no single array of inputs: x, images of 3 arrays may be it" in said
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", b"no array")
    assert "x.npz: a is not an array" in refused(3, diabetes_run, tmp_path / "x.npz")


HEADS = """\
data: {name: digits, batch_size: 128}
model:
  layers: [flatten, linear: 16, relu]
  heads: {digit: {layers: [linear: classes]}, parity: {layers: [linear: classes]}}
train: {epochs: 1}
"""


def test_every_head_answers(cli: Cli, digit_pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(HEADS)
    assert cli("train", "two.yaml").returncode == 0
    names = sorted(map(str, digit_pictures.rglob("*.png")))[:2]
    found = answers(tmp_path / "runs" / "two", *names)
    assert [set(each["heads"]) for each in found] == [{"digit", "parity"}] * 2
    assert found[0]["heads"]["parity"]["class"] in ("even", "odd")
    head = invoke("predict", tmp_path / "runs" / "two", *names, "--csv").stdout.splitlines()[0]
    assert head == "input,digit_class,digit_probability,parity_class,parity_probability"


LABELS = """\
data:
  name: inline
  inputs: [[0, 0], [0, 1], [1, 0], [1, 1], [0, 0.5], [0.5, 1]]
  targets: [[0, 0], [0, 1], [1, 0], [1, 1], [0, 0], [0, 1]]
  classes: [left, right]
model: {layers: [linear: classes]}
loss: bce_with_logits
optimizer: {name: adam, lr: 0.3}
train: {epochs: 60}
"""


def test_labels_above_their_thresholds_are_answered(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "labels.yaml").write_text(LABELS)
    assert cli("train", "labels.yaml").returncode == 0
    np.save(tmp_path / "x.npy", np.array([[0, 0], [1, 1], [1, 0]], np.float32))
    found = answers(tmp_path / "runs" / "labels", tmp_path / "x.npy")
    assert [each["labels"] for each in found] == [[], ["left", "right"], ["left"]]
    printed = invoke("predict", tmp_path / "runs" / "labels", tmp_path / "x.npy", "--csv").stdout
    assert printed.splitlines()[0] == "input,labels,p(left),p(right)"
    assert printed.splitlines()[2].split(",")[1] == "left; right"


TABLE = """\
data: {name: table, path: flowers.csv, target: species, batch_size: 16}
model: {layers: [linear: 16, relu, linear: classes]}
optimizer: {name: adam, lr: 0.02}
train: {epochs: 20}
"""


def test_the_rows_of_a_table_are_answered(cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["länge,farbe,species"]
    for number in range(120):
        species, colour = [("a", "rot"), ("b", "blau")][number % 2]
        rows.append(f"{rng.normal(number % 2 * 3):.3f},{colour},{species}")
    (tmp_path / "flowers.csv").write_text("\n".join(rows))
    (tmp_path / "flowers.yaml").write_text(TABLE)
    trained = cli("train", "flowers.yaml")
    assert trained.returncode == 0, trained.stderr
    run = tmp_path / "runs" / "flowers"
    (tmp_path / "new.csv").write_text("farbe,extra,länge\nrot,1,0.1\nblau,2,3.1\ngrün,3,\n")
    found = answers(run, tmp_path / "new.csv")
    assert [each["input"].rpartition(":")[2] for each in found] == ["2", "3", "4"]
    assert [each["class"] for each in found[:2]] == ["a", "b"]
    (tmp_path / "less.csv").write_text("farbe\nrot\n")
    assert "has no column länge" in refused(ExitCode.DATA, run, tmp_path / "less.csv")
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    error = refused(ExitCode.DATA, run, tmp_path / "x.png")
    assert "takes samples of 4 features, which are not pictures" in error
    assert "give a table with the columns of the training table" in error


def test_a_decoded_picture_can_be_written_to(digits_run: Path, tmp_path: Path, cli: Cli) -> None:
    """As torch expects of the memory that it shares; else it warns."""
    Image.new("L", (8, 8)).save(tmp_path / "x.png")
    done = cli("predict", digits_run, "x.png")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_table_suits_only_networks_of_tables(digits_run: Path, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    assert "not the rows of a table" in refused(ExitCode.DATA, digits_run, tmp_path / "x.csv")
