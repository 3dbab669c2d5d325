"""Runs that commands are tried on, trained once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import TINY, invoke


@pytest.fixture(autouse=True)
def always_as_before(as_before: None) -> None:
    """Most commands are run in-process here."""


def trained(folder: Path, *overrides: str) -> Path:
    """The folder of a run of `tiny` with these overrides; its output is beside it."""
    config = folder / "tiny.yaml"
    config.write_text(TINY, encoding="utf-8")
    exact = "train.precision=fp32"
    done = invoke("train", config, exact, *overrides, "--runs", folder / "runs")
    assert done.exit_code == 0, done.output
    (folder / "output.txt").write_text(done.stdout, encoding="utf-8")
    return folder / "runs" / "tiny"


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the digits that averages its weights."""
    return trained(tmp_path_factory.mktemp("digits"), "regularization.ema=0.9", "train.epochs=4")


@pytest.fixture(scope="session")
def diabetes_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regression that normalises its targets and keeps no validation split."""
    overrides = ["data={name: diabetes, batch_size: 64, validation: 0}", "loss=mse"]
    layers = "model.layers=[{linear: 4}, tanh, {linear: 1}]"
    return trained(tmp_path_factory.mktemp("diabetes"), *overrides, layers)
