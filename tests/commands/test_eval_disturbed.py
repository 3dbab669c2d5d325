"""`cnnctl eval --disturb`: accuracy against the strength of disturbances."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TINY, invoke


def measured(*arguments: str | Path) -> dict[str, Any]:
    done = invoke("eval", *arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def values(found: dict[str, Any], number: int = 0) -> list[float]:
    return [point["value"] for point in found["curves"][number]["points"]]


def refused(*arguments: str | Path) -> str:
    done = invoke("eval", *arguments)
    assert done.exit_code == 2, done.output
    assert not done.stdout
    return str(done.stderr)


def test_strength_0_is_what_eval_says(digits_run: Path) -> None:
    plain = measured(digits_run)["accuracy"]
    found = measured(digits_run, "--disturb", "shift=0..2", "noise=0,0.2", "fgsm=0.1")
    assert [curve["disturbance"] for curve in found["curves"]] == ["shift", "noise", "fgsm"]
    for number in range(3):
        strengths = [point["strength"] for point in found["curves"][number]["points"]]
        assert strengths[0] == 0
        assert values(found, number)[0] == plain
        assert values(found, number)[-1] < plain
    assert found["without_gradient"] == {str(digits_run): 0}


def test_the_same_command_says_the_same_whatever_the_batches(digits_run: Path) -> None:
    words = ("--disturb", "noise=0.3", "pgd=0.05", "--attack-steps", "3", "--seed", "7")
    found = measured(digits_run, *words)
    assert measured(digits_run, *words) == found
    assert measured(digits_run, *words, "--batch-size", "50")["curves"] == found["curves"]
    assert measured(digits_run, *words[:-1], "8")["curves"] != found["curves"]


def test_networks_are_shown_side_by_side(digits_run: Path) -> None:
    last = digits_run / "checkpoints" / "last.safetensors"
    done = invoke("eval", "--disturb", "shift=0..1", digits_run, last)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == f"{digits_run}: best.safetensors, epoch 4: test split, 360 samples"
    assert "shift (pixels)" in done.stdout
    first, second = (measured(each, "--disturb", "shift=1") for each in (digits_run, last))
    (row,) = [line.split() for line in lines if line.strip().startswith("1 ")]
    assert row == ["1", f"{values(first)[1]:.2%}"[:-1], "%", f"{values(second)[1]:.2%}"[:-1], "%"]


def test_a_part_of_the_samples_is_measured(digits_run: Path) -> None:
    found = measured(digits_run, "--disturb", "shift=0..1", "--limit", "100")
    assert found["sources"][0]["samples"] == 100
    assert (100 * values(found)[1]).is_integer()


def test_values_are_measured_by_their_error(diabetes_run: Path) -> None:
    found = measured(diabetes_run, "--disturb", "noise=0,1", "fgsm=0.5")
    assert {curve["metric"] for curve in found["curves"]} == {"rmse"}
    assert found["curves"][0]["unit"] == "std"
    assert values(found)[0] == measured(diabetes_run)["rmse"]
    assert values(found)[1] > values(found)[0]
    assert values(found, 1)[1] > values(found, 1)[0]


def test_what_cannot_be_measured_is_refused(digits_run: Path, diabetes_run: Path) -> None:
    assert "did you mean rotate?" in refused(digits_run, "--disturb", "rotat=0..30")
    assert "use noise, fgsm, pgd" in refused(diabetes_run, "--disturb", "shift=1")
    assert "write --disturb shift=0..4" in refused(digits_run, "shift=0..4")
    assert "compare them with --disturb" in refused(digits_run, diabetes_run)
    for option in (["--limit", "5"], ["--seed", "1"], ["-o", "x.png"]):
        assert f"{option[0]} needs --disturb" in refused(digits_run, *option)


def test_a_network_without_gradient_is_not_called_robust(
    digits_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "step.yaml"
    config.write_text(TINY.replace("relu", "step"), encoding="utf-8")
    assert invoke("train", config, "train.epochs=1").exit_code == 0
    assert "the loss has no gradient at any input" in refused("runs/step", "--disturb", "fgsm=0.1")
    assert measured("runs/step", "--disturb", "noise=0.1")["without_gradient"] == {}


def test_curves_are_drawn(digits_run: Path, tmp_path: Path) -> None:
    words = (digits_run, "--disturb", "shift=0..2", "noise=0.1")
    done = invoke("eval", *words, "-o", tmp_path / "curves.svg")
    assert done.exit_code == 0, done.output
    drawn = (tmp_path / "curves.svg").read_text(encoding="utf-8")
    assert drawn.startswith("<?xml")
    assert done.stdout.splitlines()[-1] == str(tmp_path / "curves.svg")
    assert "shift, accuracy" in done.stdout  # drawn in the terminal, too
    assert "noise, accuracy" not in done.stdout  # a line between two points says nothing
    assert "use a file name ending in .png or .svg" in refused(*words, "-o", "curves.jpg")
