"""What `train` says about planted faults: its exit code, its lines, and its run folder."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from cnnctl.run_files import read_watch
from tests import warm
from tests.conftest import environment

SOUND = """\
name: digits
data: {name: digits, batch_size: 32}
model:
  layers: [flatten, {linear: 32}, relu, {linear: 32}, relu, {linear: classes}]
optimizer: {name: sgd, lr: 0.1, momentum: 0.9}
train: {epochs: 12, device: cpu}
"""
POINTLESS = "going on is hardly worth it"
SIGMOIDS = ", ".join(["{linear: 16}, sigmoid"] * 7)
DEAD = "{linear: {out_features: 32, bias_init: {name: constant, val: -99}}}"


def train(folder: Path, *overrides: str) -> CompletedProcess[str]:
    (folder / "digits.yaml").write_text(SOUND, encoding="utf-8")
    return warm.run(["train", "digits.yaml", *overrides], cwd=folder, env=environment())


def result_of(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "runs" / "digits" / "result.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def warnings_of(done: CompletedProcess[str]) -> list[str]:
    """The lines at the end, and not the one in between."""
    lines = [line for line in done.stdout.splitlines() if line.startswith("warning: ")]
    return [line for line in lines if POINTLESS not in line]


@pytest.mark.long
def test_a_training_that_goes_well_says_nothing(tmp_path: Path) -> None:
    done = train(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "warning" not in done.stdout
    assert result_of(tmp_path)["remarks"] == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("told", "overrides"),
    [
        ("nothing is learned", ["optimizer.lr=1e-6"]),
        ("nothing is learned", ["optimizer.lr=30"]),
        ("nothing is learned", ["model.init=zeros"]),
        ("nothing is learned", ["regularization.l2=5"]),
        ("100% of relu1", [f"model.layers=[flatten, {DEAD}, relu, {{linear: classes}}]"]),
        (
            "gradients vanish: linear1",
            [
                f"model.layers=[flatten, {SIGMOIDS}, {{linear: classes}}]",
                "model.init={name: normal, std: 0.3}",
                "optimizer.momentum=0",
            ],
        ),
        (
            "100% of tanh1",
            [
                "model.layers=[flatten, {linear: 32}, tanh, {linear: 32}, tanh, {linear: classes}]",
                "model.init={name: normal, std: 3.0}",
            ],
        ),
        ("still falling", ["train.epochs=4", "optimizer.lr=0.002"]),
    ],
    ids=["low", "high", "zeros", "penalty", "dead", "vanishing", "saturated", "unfinished"],
)
def test_a_fault_is_told_at_the_end_and_kept_with_the_result(
    told: str, overrides: list[str], tmp_path: Path
) -> None:
    done = train(tmp_path, *overrides)
    assert done.returncode == 0, done.stderr
    warned = warnings_of(done)
    assert 1 <= len(warned) <= 3
    assert any(told in line for line in warned), warned
    assert result_of(tmp_path)["remarks"] == warned


@pytest.mark.long
@pytest.mark.parametrize("overrides", [["model.init=zeros"], ["regularization.l2=5"]])
def test_where_going_on_is_pointless_it_is_told_once_and_before_the_end(
    overrides: list[str], tmp_path: Path
) -> None:
    lines = train(tmp_path, *overrides).stdout.splitlines()
    [at] = [number for number, line in enumerate(lines) if POINTLESS in line]
    assert any(line.startswith("epoch 12/12") for line in lines[at:])


@pytest.mark.long
def test_a_run_that_diverges_keeps_what_it_recorded(tmp_path: Path) -> None:
    done = train(tmp_path, "optimizer.lr=1e18", "train.watch=1")
    assert done.returncode == 7
    assert "the loss is not finite at step 2" in done.stderr
    assert "try a lower optimizer.lr" in done.stderr
    assert result_of(tmp_path)["state"] == "diverged"
    [record] = read_watch(tmp_path / "runs" / "digits").records
    assert record.step == 1
    assert min(row["update"] for row in record.layers.values() if "update" in row) > 1e6
    diagnosed = warm.run(["diagnose", "runs/digits"], cwd=tmp_path, env=environment())
    assert diagnosed.returncode == 0, diagnosed.stderr
