"""What a training says about itself, on the console and in its record."""

from __future__ import annotations

import json
from math import log
from pathlib import Path

import pytest

from cnnctl.diagnosis.facts import Yardstick
from cnnctl.diagnosis.history import History
from cnnctl.diagnosis.hopeless import why_hopeless
from cnnctl.run_files import EpochMetrics
from tests.conftest import invoke

DEAD = """\
data: {name: moons, samples: 800, batch_size: 10, validation: 0.2}
model:
  layers:
    - linear: {out_features: 8, bias_init: {name: constant, val: -99}}
    - relu
    - linear: classes
optimizer: {name: sgd, lr: 0.1}
train: {epochs: 7}
"""


@pytest.fixture
def dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "dead.yaml"
    path.write_text(DEAD, encoding="utf-8")
    return path


def remarks_of(folder: Path) -> list[str]:
    found = json.loads((folder / "runs" / "dead" / "result.json").read_text())["remarks"]
    assert isinstance(found, list)
    return found


def test_a_training_that_goes_well_says_nothing(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny.parent)
    done = invoke("train", tiny, "train.epochs=6", "optimizer={name: adam, lr: 0.01}")
    assert "warning" not in done.output
    assert json.loads((tiny.parent / "runs/tiny/result.json").read_text())["remarks"] == []


def test_a_hopeless_training_says_so_once_and_at_its_end_in_three_lines(dead: Path) -> None:
    lines = invoke("train", dead).output.splitlines()
    at_once = [line for line in lines if "going on is hardly worth it" in line]
    assert len(at_once) == 1
    assert at_once[0].startswith("warning: nothing is learned after 5 epochs and 320 steps")
    at_end = lines[lines.index(at_once[0]) + 1 :]
    warned = [line for line in at_end if line.startswith("warning: ")]
    assert len(warned) == 3
    assert "100% of relu1" in warned[0], "the cause comes first"
    assert any(line.startswith("warning: nothing is learned: best") for line in warned)
    assert remarks_of(dead.parent) == warned


def test_gradients_that_vanish_are_named_before_what_comes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hidden = ", ".join(["{linear: 8}, sigmoid"] * 9)
    layers = f"model.layers=[{hidden}, {{linear: classes}}]"
    (tmp_path / "deep.yaml").write_text(DEAD, encoding="utf-8")
    lines = invoke("train", "deep.yaml", layers, "train.epochs=4").output.splitlines()
    warned = [line.split(":")[1] for line in lines if line.startswith("warning: ")]
    assert warned[:2] == [" gradients vanish", " nothing is learned"]
    assert lines[-1] == "next: cnnctl diagnose runs/deep"


def test_a_resumed_run_knows_its_earlier_epochs(dead: Path) -> None:
    assert "worth it" not in invoke("train", dead, "train.epochs=4").output
    resumed = invoke("train", "--resume", "runs/dead", "train.epochs=7").output
    assert "nothing is learned after 5 epochs and 320 steps" in resumed


def epochs(losses: list[float], *, steps: int = 200, rates: list[float] | None = None) -> History:
    rows: list[EpochMetrics] = [
        {"epoch": at, "step": steps * at, "train_loss": loss, "lr": (rates or [1.0] * 999)[at - 1]}
        for at, loss in enumerate(losses, 1)
    ]
    return History(rows)


CHANCE = Yardstick(log(2))


def test_a_loss_that_stays_is_hopeless_and_one_that_falls_is_not() -> None:
    assert "nothing is learned" in why_hopeless(epochs([0.693] * 5), CHANCE, rate=1.0)
    assert not why_hopeless(epochs([0.693, 0.692, 0.69, 0.68, 0.66]), CHANCE, rate=1.0)


def test_it_is_too_early_before_three_epochs_and_300_steps() -> None:
    assert not why_hopeless(epochs([0.693] * 3), CHANCE, rate=1.0)
    assert not why_hopeless(epochs([0.693] * 200, steps=1), CHANCE, rate=1.0)


def test_a_warm_up_is_waited_for() -> None:
    warming = epochs([0.693] * 5, rates=[0.0, 0.1, 0.2, 0.3, 0.4])
    assert not why_hopeless(warming, CHANCE, rate=1.0)


def test_a_loss_that_rises_far_above_chance_is_hopeless_though_it_is_finite() -> None:
    told = why_hopeless(epochs([0.7, 3.0, 9.0, 40.0, 900.0]), CHANCE, rate=1.0)
    assert told.startswith("the training diverges after 5 epochs")
    assert not why_hopeless(epochs([9.0, 3.0, 2.0, 1.5, 1.45]), CHANCE, rate=1.0)
