"""`cnnctl explain`: sheets, numbers and facts, and what cannot be explained."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnctl.commands.explain import METHODS as NAMES
from cnnctl.explanation.methods import METHODS
from tests.conftest import invoke


@pytest.fixture(autouse=True)
def in_the_folder_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_help_names_every_method() -> None:
    assert set(NAMES) == set(METHODS)


def test_a_sheet_numbers_and_facts(tiny: Path) -> None:
    words = ("--method", "saliency", "--samples", "3,17", "--npz", "x.npz", "--json")
    done = invoke("explain", tiny, *words)
    assert (done.exit_code, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert facts["sheet"] == "tiny-saliency.png"
    assert [row["name"] for row in facts["rows"]] == ["test 3", "test 17"]
    with Image.open("tiny-saliency.png") as sheet:
        assert sheet.format == "PNG"
    with np.load("x.npz", allow_pickle=False) as arrays:
        assert arrays["map"].shape == (2, 8, 8)
        assert arrays["input"].shape == (2, 1, 8, 8)
        assert [*arrays["names"]] == ["test 3", "test 17"]
        for row, shares, explained in zip(
            facts["rows"], arrays["probabilities"], arrays["explained"], strict=True
        ):
            assert row["explained"] == arrays["classes"][explained] == str(shares.argmax())
            assert row["share"] == pytest.approx(shares.max())


def test_explanations_are_the_same_again(tiny: Path) -> None:
    words = ("explain", tiny, "--method", "saliency", "-o")
    first, second = (invoke(*words, name) for name in ("a.png", "b.png"))
    assert first.stdout.replace("a.png", "b.png") == second.stdout
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_a_picture_is_explained_as_the_sample_that_it_is(tiny: Path) -> None:
    assert invoke("explain", tiny, "--samples", "5", "--npz", "a.npz").exit_code == 0
    with np.load("a.npz") as arrays:
        pixels = (arrays["input"][0, 0] * 255).round().astype(np.uint8)
        Image.fromarray(pixels).save("five.png")
        done = invoke("explain", tiny, "five.png", "--npz", "b.npz")
        assert done.exit_code == 0, done.stderr
        assert "five.png" in done.stdout
        with np.load("b.npz") as others:
            np.testing.assert_allclose(others["map"], arrays["map"], atol=1e-6)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--method", "salience"], 2, ["--method: no method is named 'salience'", "saliency?"]),
        (["--samples", "360"], 3, ["the test split has no sample 360", "counted from 0"]),
        (["--samples", "-1"], 2, ["--samples: '-1' is not a position"]),
        (["--samples", "1", "--worst", "2"], 2, ["--samples and --worst both choose samples"]),
        (["tiny.yaml"], 3, ["tiny.yaml"]),
        (["nothing.png"], 3, ["nothing.png: cannot be read: No such file or directory"]),
        (["--target", "10", "--method", "saliency"], 2, ["--target: no class is named '10'"]),
        (["--head", "x"], 2, ["--head: no head is named 'x'", "omit --head"]),
        (["--layer", "linear1", "--method", "saliency"], 2, ["saliency takes no --layer"]),
        (["--method", "grad-cam"], 2, ["grad-cam needs a convolution", "saliency"]),
        (["--method", "neighbours", "--layer", "rellu1"], 2, ["named 'rellu1'", "relu1?"]),
        (["--method", "neighbours", "--layer", "what"], 2, ["layers: flatten1, linear1, relu1"]),
        (["--method", "maximise", "--samples", "1"], 2, ["maximise takes no --samples"]),
        (["--method", "maximise", "--unit", "1"], 2, ["--unit is a channel of a layer"]),
        (["-o", "x.jpg"], 2, ["cannot write to x.jpg: unknown format", "ending in .png"]),
        (["--npz", "x.npy"], 2, ["ending in .npz"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_explained_is_said(
    tiny: Path, words: list[str], code: int, said: list[str]
) -> None:
    done = invoke("explain", tiny, *words)
    assert done.exit_code == code, done.stderr
    for each in said:
        assert each in done.stderr
    assert not [*tiny.parent.glob("*.png")]


def test_without_captum_the_command_that_installs_it_is_named(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "captum", None)
    done = invoke("explain", tiny)
    assert done.exit_code == 2
    assert "integrated-gradients needs the captum package" in done.stderr
    assert "pip install 'cnnctl[explain]', or use --method saliency" in done.stderr
    assert invoke("explain", tiny, "--method", "saliency").exit_code == 0


def test_the_worst_are_the_most_confident_mistakes(tiny: Path) -> None:
    options = ("data.validation=0.03", "--split", "validation", "--json")
    words = ("explain", tiny, "--method", "saliency", *options)
    worst = json.loads(invoke(*words, "--worst", "3").stdout)["rows"]
    every = json.loads(invoke(*words, "--samples", ",".join(map(str, range(40)))).stdout)["rows"]
    wrong = [row for row in every if row["predicted"] != row["target"]]
    shares = [row["share"] for row in worst]
    assert all(row["predicted"] != row["target"] for row in worst)
    assert shares == sorted(shares, reverse=True)
    assert shares[0] >= max(row["share"] for row in wrong) - 1e-6


def test_rows_of_a_table_are_explained_by_their_columns(tmp_path: Path) -> None:
    rows = [
        f"{age},{city},{'old' if age > 40 else 'young'}" for age in range(18, 78) for city in "ab"
    ]
    (tmp_path / "x.csv").write_text("\n".join(["age,city,kind", *rows]), encoding="utf-8")
    text = "data: {name: table, path: x.csv, target: kind}\nmodel: {layers: [{linear: classes}]}"
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    for method in ("shap", "lime", "occlusion", "integrated-gradients", "saliency"):
        done = invoke("explain", "x.yaml", "--method", method, "--npz", "x.npz", "--json")
        assert done.exit_code == 0, done.stderr
        assert "age" in json.loads(done.stdout)["rows"][0]["strongest"]
        with np.load("x.npz") as arrays:
            assert arrays["map"].shape == (4, 2)
            assert arrays["input"].shape == (4, 4)  # a category has a feature for each value


def test_heads_labels_and_values_are_explained() -> None:
    for words in (
        ("digit-and-parity", "--head", "parity", "--target", "odd"),
        ("regression", "--method", "saliency"),
        (
            "lenet",
            "data={name: fake, shape: [1, 32, 32], classes: 3, multilabel: true}",
            "loss=bce_with_logits",
            "regularization.label_smoothing=0",
        ),
    ):
        done = invoke("explain", *words, "--samples", "0,1")
        assert done.exit_code == 0, done.stderr
