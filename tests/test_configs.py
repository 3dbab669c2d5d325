"""The shipped experiments say what they are, are right, and reach what they say."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path

import pytest

from cnnctl.advice import advise
from cnnctl.experiment import load
from cnnctl.inspection import gather
from tests.conftest import Cli

CONFIGS = Path(__file__).parent.parent / "configs"
FILES = sorted(CONFIGS.glob("*.yaml"))
EXPECTED = {
    "digit-and-parity", "keras-cnn-cifar10", "lenet", "lenet-mnist", "mlp-mnist", "mlp-spirals",
    "regression", "resnet-digits", "tdnn-waveform", "textbook-3-3-2-2", "textbook-3-4-2",
}  # fmt: skip


def test_all_of_them_are_here() -> None:
    assert {path.stem for path in FILES} == EXPECTED


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_says_what_it_is_where_from_what_it_reaches_and_how_long_it_takes(path: Path) -> None:
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    assert first == "# yaml-language-server: $schema=cnnctl.schema.json"
    head = "\n".join(line for line in rest if line.startswith("#"))
    for word in ("# From: ", "# Reaches: ", "# Takes: "):
        assert word in head


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_is_right_and_wise(path: Path) -> None:
    loaded = load(path)
    assert loaded.experiment.name == path.stem
    assert [str(advice) for advice in advise(loaded.experiment, loaded.plan)] == []


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("lenet", 61_706),
        ("lenet-mnist", 61_706),
        ("mlp-mnist", 784 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10),
        ("textbook-3-4-2", 26),
        ("textbook-3-3-2-2", 26),
        ("keras-cnn-cifar10", 1_250_858),  # as Keras counts it
    ],
)
def test_each_has_the_parameters_of_its_source(name: str, parameters: int) -> None:
    loaded = load(CONFIGS / f"{name}.yaml")
    assert gather(loaded.plan, batch_size=1).parameters == parameters


def evaluated(cli: Cli, name: str, *more: str) -> dict[str, float]:
    """What `eval --json` says of a shipped experiment, trained here."""
    trained = cli("train", CONFIGS / f"{name}.yaml", *more)
    assert trained.returncode == 0, trained.stderr
    run = re.search(r"run folder: (\S+)", trained.stdout)
    assert run
    measured = cli("eval", run[1], "--json")
    found: dict[str, float] = json.loads(measured.stdout)
    return found


@pytest.mark.long
def test_lenet_reaches_98_percent_on_the_digits(cli: Cli) -> None:
    accuracies = [evaluated(cli, "lenet", f"seed={seed}")["accuracy"] for seed in range(5)]
    assert statistics.mean(accuracies) >= 0.98


@pytest.mark.long
def test_the_spirals_are_told_apart(cli: Cli) -> None:
    assert evaluated(cli, "mlp-spirals")["accuracy"] >= 0.95


@pytest.mark.long
def test_the_regression_explains_a_third_of_the_variance(cli: Cli) -> None:
    assert evaluated(cli, "regression")["r2"] >= 0.3


@pytest.mark.long
def test_the_textbook_networks_learn_their_samples(cli: Cli) -> None:
    assert evaluated(cli, "textbook-3-4-2")["loss"] < 1e-5
    assert evaluated(cli, "textbook-3-3-2-2", "seed=2")["accuracy"] == 1.0
