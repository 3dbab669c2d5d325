"""The command, before training and on runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnnctl.diagnosis.checks import CHECKS
from tests.conftest import invoke


@pytest.fixture
def run(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tiny.parent)
    assert invoke("train", tiny, "train.epochs=3").exit_code == 0
    return tiny.parent / "runs" / "tiny"


def test_every_check_says_what_it_is_from() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS) >= 12
    assert all(check.threshold and check.source and check.__doc__ for check in CHECKS)


def test_before_training_a_sound_experiment_has_nothing_found(tiny: Path) -> None:
    done = invoke("diagnose", tiny)
    assert done.exit_code == 0, done.output
    assert "9 checks: nothing found" in done.output
    assert "the checks of a training need its run folder" in done.output
    assert not (tiny.parent / "runs").exists()


def test_a_run_is_judged_by_its_epochs_and_its_weights(run: Path) -> None:
    done = invoke("diagnose", run, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["is_trained"]
    assert {"overfitting", "dead units"} <= {each["check"] for each in found["checks"]}
    assert [row["layer"] for row in found["layers"]] == ["linear1", "relu1", "linear2"]
    assert all(each["threshold"] and each["source"] for each in found["checks"])


def test_a_checkpoint_alone_says_what_is_missing(run: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes((run / "checkpoints" / "best.safetensors").read_bytes())
    done = invoke("diagnose", alone)
    assert done.exit_code == 0, done.output
    assert "the checkpoint is not in a run folder" in done.output
    assert "not checked: recorded steps, diverging, swinging, learns nothing" in done.output


def test_what_a_run_recorded_is_judged(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny.parent)
    assert invoke("train", tiny, "train.watch=2", "train.epochs=1").exit_code == 0
    found = json.loads(invoke("diagnose", "runs/tiny", "--json").stdout)["checks"]
    assert {"recorded steps": "6 steps recorded"}.items() <= {
        each["check"]: each["found"] for each in found
    }.items()
    assert "train with train.watch=true" not in str(found)


def test_advice_on_the_file_comes_first(tiny: Path) -> None:
    first = invoke("diagnose", tiny, "optimizer.lr=3").output.splitlines()[0]
    assert "advice: optimizer.lr: 3 is outside the usual range of sgd" in first
    plain = json.loads(invoke("diagnose", tiny, "optimizer.lr=3", "--json").stdout)
    assert [each["option"] for each in plain["advice"]] == ["optimizer.lr"]


def test_overrides_change_what_is_diagnosed(tiny: Path) -> None:
    done = invoke("diagnose", tiny, "optimizer.lr=1e-8")
    assert "warning: a step changes the weights by only" in done.output
    assert "    try a higher optimizer.lr" in done.output
