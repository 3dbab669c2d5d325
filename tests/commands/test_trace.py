"""`cnnctl trace`: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import invoke

WORKED = "textbook-3-4-2"
CNN = """\
data: digits
model:
  layers:
    - conv: 4
    - relu
    - max_pool
    - residual: [conv: {out_channels: 4, padding: 1}]
    - flatten
    - linear: classes
optimizer: {name: adam, lr: 0.01}
"""


@pytest.fixture
def cnn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cnn.yaml").write_text(CNN, encoding="utf-8")
    return "cnn.yaml"


def shown(*arguments: str | Path) -> str:
    done = invoke("trace", *arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def plain(*arguments: str | Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(shown(*arguments, "--json"))
    return data


def test_the_shipped_example_is_worked() -> None:
    lines = shown(WORKED).splitlines()
    assert lines[:6] == [
        "input                    1.0000  2.0000  3.0000",
        "linear1   z = W x + b    1.5000  0.4000  0.5000 -0.2000",
        "sigmoid1  a              0.8176  0.5987  0.6225  0.4502",
        "linear2   z              0.4178 -0.0053",
        "sigmoid2  y              0.6030  0.4987      target 0.8000 0.2000",
        "mse       0.0640 = ((-0.1970)² + 0.2987²) / 2",
    ]
    assert "update, sgd 0.5: W - 0.5 dW" in lines
    change = "0.3000 -0.2000 0.1000 0.4000 → 0.3193 -0.1859 0.1147 0.4106"
    assert f"linear2   W[0]   {change}" in lines


def test_one_unit_term_by_term() -> None:
    assert shown(WORKED, "--unit", "linear1.0").splitlines() == [
        "unit linear1[0]",
        "            x       W     W x",
        "  [0]  1.0000  0.1000  0.1000",
        "  [1]  2.0000  0.2000  0.4000",
        "  [2]  3.0000  0.3000  0.9000",
        "  sum of products  1.4000",
        "  b                0.1000",
        "  output           1.5000",
        "  delta            -0.0032",
        "  W         dW  before   after",
        "  [0]  -0.0032  0.1000  0.1016",
        "  [1]  -0.0064  0.2000  0.2032",
        "  [2]  -0.0097  0.3000  0.3048",
        "  b       db  before   after",
        "  b  -0.0032  0.1000  0.1016",
    ]


def test_a_window_and_a_winner(cnn: str) -> None:
    lines = shown(cnn, "--unit", "conv1", "--at", "2,1,0").splitlines()
    assert lines[:4] == [
        "unit conv1[2, 1, 0]",
        "  window from 1 0 on (row, column)",
        "  channel 0",
        f"    {'x':<23}    {'W':<23}    product",
    ]
    unit = plain(cnn, "--unit", "max_pool1", "--at", "0,1,2")["steps"][0]["unit"]
    window = np.array(unit["inputs"])[0]
    channel, row, column = unit["winner"]
    assert (channel, unit["corner"], window.shape) == (0, [0, 2, 4], (2, 2))
    assert window[row - 2, column - 4] == window.max()
    assert unit["output"] == window.max()


def test_steps_follow_each_other_and_take_the_rate_of_the_schedule() -> None:
    schedule = ["scheduler={name: step, step_size: 1, gamma: 0.1}", "train.epochs=4"]
    first, second = plain(WORKED, *schedule, "--steps", "2")["steps"]
    assert [step["rate"] for step in (first, second)] == pytest.approx([0.5, 0.05])
    for before, after in zip(first["weights"], second["weights"], strict=True):
        assert before["after"] == after["before"]
    assert second["total"] < first["total"]
    assert shown(WORKED, "--steps", "2").splitlines()[0] == "step 1"


def test_numbers_and_a_target_take_the_place_of_a_sample() -> None:
    own = plain(WORKED, "--input", "1,2,3", "--target", "0.8,0.2")
    theirs = plain(WORKED)
    assert own["steps"] == theirs["steps"]
    assert own["sample"] == "input"
    forward = plain(WORKED, "--input", "0 0 0")["steps"][0]
    assert (forward["losses"], forward["backward"], forward["weights"]) == ([], [], [])
    assert forward["forward"][1]["values"] == [0.1, 0.0, -0.1, 0.0]


def test_values_are_given_in_their_own_units() -> None:
    numbers = ",".join(map(str, range(10)))
    found = plain("regression", "--input", numbers, "--target", "150")
    [loss] = found["steps"][0]["losses"]
    assert abs(loss["target"][0]) < 0.2  # near the mean of 152
    assert "the target is normalised, as the loss takes it" in found["notes"]
    notes = plain("regression", "--input", numbers)["notes"]
    assert "without a target, there is no loss; add --target" in notes


def test_a_picture_is_traced_as_predict_reads_it(digits_run: Path, tmp_path: Path) -> None:
    picture = tmp_path / "three.png"
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8) * 3
    Image.fromarray(pixels).save(picture)
    found = plain(digits_run, picture, "--target", "3")
    answer = json.loads(invoke("predict", digits_run, picture, "--jsonl").stdout)
    [loss] = found["steps"][0]["losses"]
    assert loss["class"] == "3"
    shares = {str(n): share for n, share in enumerate(loss["terms"][0]["values"])}
    told = answer.get("probabilities", answer.get("answer", {}).get("probabilities"))
    assert shares == pytest.approx(told, abs=1e-4)
    assert any("after epoch" in note for note in found["notes"])


def test_targets_of_heads_are_written_one_after_the_other() -> None:
    pixels = ",".join(["0.5"] * 64)
    losses = plain("digit-and-parity", "--input", pixels, "--target", "7,odd")["steps"][0]["losses"]
    assert [(loss["task"], loss["class"]) for loss in losses] == [("digit", "7"), ("parity", "odd")]


def test_markdown_has_formulas_and_the_same_numbers() -> None:
    text = shown(WORKED, "optimizer.name=adam", "--markdown")
    assert "| linear1 | $z = W x + b$ | 1.5000 0.4000 0.5000 -0.2000 |" in text
    assert r"$$ \hat{m} \leftarrow m / (1 - 0.9^1) $$" in text
    assert r"$$ W \leftarrow W - 0.5 \hat{m} / (\sqrt{\hat{v}} + 10^{-8}) $$" in text
    assert "| linear2 | $\\delta$ | -0.0472 0.0747 |" in text


def test_digits_and_a_file(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    assert shown(WORKED, "--markdown", "--digits", "6", "-o", page) == f"{page}\n"
    assert "1.500000 0.400000 0.500000 -0.200000" in page.read_text(encoding="utf-8")


def test_a_step_changes_nothing_on_disk(digits_run: Path) -> None:
    before = {path: path.read_bytes() for path in digits_run.rglob("*") if path.is_file()}
    assert shown(digits_run) == shown(digits_run)
    assert {path: path.read_bytes() for path in digits_run.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "code", "said", "hint"),
    [
        (["--unit", "conv2.0"], 2, "no layer is named conv2", "did you mean conv1?"),
        (["--unit", "conf1"], 2, "no layer is named conf1", "did you mean conv1?"),
        (
            ["--unit", "residual1"],
            2,
            "residual1 is a block of layers",
            "choose one: residual1.conv1",
        ),
        (
            ["--unit", "conv1"],
            2,
            "conv1 outputs 4 channels of 6x6",
            "--unit conv1 --at channel,row,column, such as --at 0,0,0",
        ),
        (
            ["--unit", "conv1", "--at", "1,2"],
            2,
            "conv1 outputs 4 channels of 6x6",
            "--unit conv1 --at channel,row,column, such as --at 0,0,0",
        ),
        (
            ["--unit", "conv1", "--at", "1,2,6"],
            2,
            "1,2,6 is outside 4 channels of 6x6, the output of conv1",
            "channel 0 to 3, row 0 to 5, column 0 to 5, counted from 0",
        ),
        (["--unit", "linear1"], 2, "linear1 has 10 outputs", "linear1.9 its last"),
        (
            ["--unit", "linear1.10"],
            2,
            "10 is outside a vector of 10, the output of linear1",
            "output 0 to 9, counted from 0",
        ),
        (["--at", "0,0,0"], 2, "--at needs a layer", "add --unit LAYER; layers: conv1"),
        (
            ["--unit", "conv1", "--at", "0,-1,0"],
            2,
            "--at 0,-1,0: a position consists of whole numbers, from 0",
            "write --at channel,row,column, as --at 0,2,3",
        ),
        (["--input", "1,2"], 2, "--input has 2 numbers, not 64 for 1x8x8", "commas"),
        (["--input", "1,x"], 2, "--input: 'x' is not a finite number", "write --input"),
        (["--sample", "1293"], 3, "the train split has no sample 1,293", "counted from 0"),
        (["cnn.yaml"], 3, "cnn.yaml: is not a picture", "replace"),
        (["--file", "none.png"], 3, "none.png: cannot be read", "check the path"),
        (["--target", "ten"], 2, "--target: 'ten' is not a class", "known: 0, 1"),
        (["--target", "1,2"], 2, "--target has 2 numbers, not 10", "separate them by commas"),
        (["--json", "--markdown"], 2, "--json and --markdown are mutually exclusive", "omit one"),
        (["--file", "x", "--input", "1"], 2, "--input and a file are two samples", "omit one"),
        (["a.png", "b.png"], 2, "expected one sample, but got 2 files: a.png, b.png", "at a time"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_traced_is_said(
    cnn: str, arguments: list[str], code: int, said: str, hint: str
) -> None:
    done = invoke("trace", cnn, *arguments)
    first, *rest = done.stderr.splitlines()
    assert (done.exit_code, done.stdout) == (code, "")
    assert said in first
    assert hint in "\n".join(rest)


def test_overrides_alone_are_no_experiment() -> None:
    done = invoke("trace", "train.epochs=3")
    assert (done.exit_code, done.stderr) == (
        2,
        "no config file given\n    try cnnctl trace textbook-3-4-2\n",
    )
