"""The shipped experiments say what they are, are right, and reach what they say."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import Any

import pytest

from cnnctl.advice import advise
from cnnctl.experiment import load
from cnnctl.inspection import gather
from tests.conftest import Cli

CONFIGS = Path(__file__).parent.parent / "configs"
FILES = sorted(CONFIGS.glob("*.yaml"))
EXPECTED = {
    "airbench-cifar10", "digit-and-parity", "keras-cnn-cifar10", "lenet", "lenet-mnist",
    "lenet-quarter", "mlp-mnist",
    "mlp-spirals", "regression", "resnet-digits", "tdnn-waveform", "textbook-3-3-2-2",
    "textbook-3-4-2",
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
        ("lenet-quarter", 4_157),
        ("mlp-mnist", 784 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10),
        ("textbook-3-4-2", 26),
        ("textbook-3-3-2-2", 26),
        ("keras-cnn-cifar10", 1_250_858),  # as Keras counts it
        # the filters, biases and head of the original, and two factors that are frozen at 1 and
        # 1 / 256: of norms, and of the outputs
        (
            "airbench-cifar10",
            24 * 12
            + 24
            + 9 * (24 * 64 + 64**2 + 64 * 256 + 3 * 256**2)
            + 2 * (2 * 64 + 4 * 256)
            + 2560
            + 10,
        ),
    ],
)
def test_each_has_the_parameters_of_its_source(name: str, parameters: int) -> None:
    loaded = load(CONFIGS / f"{name}.yaml")
    assert gather(loaded.plan, batch_size=1).parameters == parameters


def evaluated(cli: Cli, name: str, *more: str) -> dict[str, Any]:
    """What `eval --json` says of a shipped experiment, trained here."""
    trained = cli("train", CONFIGS / f"{name}.yaml", *more)
    assert trained.returncode == 0, trained.stderr
    run = re.search(r"run folder: (\S+)", trained.stdout)
    assert run
    measured = cli("eval", run[1], "--json")
    evaluation: dict[str, Any] = json.loads(measured.stdout)
    return evaluation


SEEDS = range(5)
TOLERANCE = 0.005
"""Of a mean of five seeds, which differs a little from one machine's kernels to another's."""
MEASURES: dict[str, list[str]] = {
    "digit-and-parity": ["digit accuracy", "parity accuracy"],
    "lenet": ["accuracy"],
    "lenet-quarter": ["accuracy"],
    "mlp-spirals": ["accuracy"],
    "regression": ["r2"],
    "resnet-digits": ["accuracy"],
    "tdnn-waveform": ["accuracy"],
}
"""What the headers of the experiments on embedded data say, in their order."""


def claims(name: str) -> list[float]:
    """The figures of a header, up to the words on which seeds they are from."""
    text = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8").replace("\n#   ", " ")
    reached = re.search(r"# Reaches: (.*?), means? of five seeds", text)
    assert reached, f"{name} does not say what five seeds reach"
    percent = [float(figure) / 100 for figure in re.findall(r"([\d.]+) %", reached[1])]
    return percent or [float(figure) for figure in re.findall(r" (0\.\d+)", reached[1])]


def found(evaluation: dict[str, Any], measure: str) -> float:
    head, _, metric = measure.rpartition(" ")
    return float((evaluation["heads"][head] if head else evaluation)[metric])


@pytest.mark.long
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", MEASURES)
def test_the_header_holds_as_a_mean_of_five_seeds(name: str, precision: str, cli: Cli) -> None:
    options = (f"train.precision={precision}", "train.device=cpu")
    evaluations = [evaluated(cli, name, f"seed={seed}", *options) for seed in SEEDS]
    means = [
        statistics.mean(found(evaluation, measure) for evaluation in evaluations)
        for measure in MEASURES[name]
    ]
    assert means == pytest.approx(claims(name), abs=TOLERANCE if name != "regression" else 0.02)


@pytest.mark.long
def test_the_textbook_networks_learn_their_samples(cli: Cli) -> None:
    assert evaluated(cli, "textbook-3-4-2")["loss"] < 1e-5
    assert evaluated(cli, "textbook-3-3-2-2", "seed=2")["accuracy"] == 1.0
