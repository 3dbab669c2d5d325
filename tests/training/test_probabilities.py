"""Rows of probabilities as targets: the losses of the textbook, and metrics of the likeliest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Cli, rows_of

INPUTS = [[1, 2, 3], [2, 0, 1], [0, 1, 1], [3, 1, 0]]
SHARES = [[0.7, 0.2, 0.1], [0, 0.5, 0.5], [0.1, 0.1, 0.8], [1, 0, 0]]
WEIGHT = [[0.1, -0.2, 0.3], [0.2, 0.1, -0.1], [-0.3, 0.1, 0.2]]
BIAS = [0.15, -0.1, 0.2]


def experiment(*, layers: list[Any], **sections: Any) -> dict[str, Any]:
    return {
        "name": "shares",
        "data": {"name": "inline", "inputs": INPUTS, "targets": SHARES, "classes": list("abc")},
        "model": {"layers": layers},
        "optimizer": {"name": "sgd", "lr": 0.1},
        "train": {"epochs": 1, "device": "cpu", "precision": "fp32"},
        **sections,
    }


def layer() -> dict[str, Any]:
    weights, biases = ({"name": "values", "values": values} for values in (WEIGHT, BIAS))
    return {"linear": {"out_features": "classes", "init": weights, "bias_init": biases}}


def trained(config: dict[str, Any], cli: Cli, folder: Path) -> dict[str, Any]:
    """The first epoch, whose loss is that before its only step."""
    path = folder / "shares.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    done = cli("train", path)
    assert done.returncode == 0, done.stderr
    first: dict[str, Any] = rows_of(folder / "runs" / "shares")[0]
    return first


def logits() -> Any:
    return np.array(INPUTS) @ np.array(WEIGHT).T + BIAS


def test_cross_entropy_takes_probabilities_of_classes(quick_cli: Cli, tmp_path: Path) -> None:
    row = trained(experiment(layers=[layer()]), quick_cli, tmp_path)
    powers = np.exp(logits())
    expected = -(np.array(SHARES) * np.log(powers / powers.sum(axis=1, keepdims=True))).sum(axis=1)
    assert row["train_loss"] == pytest.approx(expected.mean(), rel=1e-5)
    right = logits().argmax(axis=1) == np.array(SHARES).argmax(axis=1)
    assert 0 < right.mean() < 1
    assert row["train_accuracy"] == right.mean()


def test_bce_takes_probabilities_of_labels(quick_cli: Cli, tmp_path: Path) -> None:
    config = experiment(layers=[layer(), "sigmoid"], loss="bce")
    shares = np.array([[0.7, 0.4, 0.1], *SHARES[1:]])
    config["data"]["targets"] = shares.tolist()
    row = trained(config, quick_cli, tmp_path)
    sigmoids = 1 / (1 + np.exp(-logits()))
    expected = -(shares * np.log(sigmoids) + (1 - shares) * np.log(1 - sigmoids))
    assert row["train_loss"] == pytest.approx(expected.mean(), rel=1e-5)
    right = ((sigmoids > 0.5) == (shares > 0.5)).all(axis=1)
    assert row["train_accuracy"] == right.mean()


def test_a_head_takes_them_and_an_evaluation_counts_the_likeliest(
    quick_cli: Cli, tmp_path: Path
) -> None:
    config = experiment(layers=[{"linear": 4}], loss="cross_entropy")
    data = config["data"]
    data["targets"] = {"side": [0, 1, 1, 0], "mood": SHARES}
    data["classes"] = {"mood": ["calm", "glad", "sad"]}
    head = {"layers": [{"linear": "classes"}]}
    config["model"]["heads"] = {"side": head, "mood": head}
    trained(config, quick_cli, tmp_path)
    done = quick_cli("eval", tmp_path / "runs" / "shares", "--split", "train", "--json")
    found = json.loads(done.stdout)["heads"]["mood"]["confusion"]
    assert np.sum(found, axis=1).tolist() == [2, 1, 1]  # the likeliest of each row


@pytest.mark.parametrize(
    ("loss", "options", "fault"),
    [
        ("nll", {}, "nll needs classes, but the data has their probabilities"),
        ("cross_entropy", {"classes": []}, "or name the columns in data.classes"),
        ("cross_entropy", {"targets": [[0.7, 0.7, 0]] * 4}, "several labels per sample"),
    ],
)
def test_a_loss_that_does_not_take_them_is_named(
    loss: str, options: dict[str, Any], fault: str, quick_cli: Cli, tmp_path: Path
) -> None:
    config = experiment(layers=[layer()], loss=loss)
    config["data"] |= options
    path = tmp_path / "shares.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    done = quick_cli("check", path)
    assert done.returncode == 2
    assert fault in done.stderr
