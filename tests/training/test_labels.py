"""Labels from a file of YAML to the table of an evaluation, with measured thresholds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn import metrics

from cnnctl.checkpoint import save
from cnnctl.training.state import capture_best
from cnnctl.training.training import Training
from tests.conftest import Cli, rows_of
from tests.training.conftest import assert_same_state, best, last, setup_of

NAMES = ["round", "red", "large"]


def tags(**sections: Any) -> dict[str, Any]:
    """An experiment on points of which each label is a half-plane, the second one a rare one."""
    draw = np.random.default_rng(0)
    points = draw.normal(size=(160, 2)).round(2)
    shown = points + draw.normal(scale=0.3, size=points.shape)
    sides = [shown[:, 0] > 0, shown[:, 1] > 1.2, shown.sum(axis=1) < 0.5]
    labels = np.stack(sides, axis=1).astype(int)
    data = {
        "name": "inline",
        "inputs": points[:120].tolist(),
        "targets": labels[:120].tolist(),
        "test_inputs": points[120:].tolist(),
        "test_targets": labels[120:].tolist(),
        "classes": NAMES,
        "validation": 0.25,
        "batch_size": 16,
    }
    return {
        "name": "tags",
        "data": data,
        "model": {"layers": [{"linear": "classes"}]},
        "loss": "bce_with_logits",
        "optimizer": {"name": "adam", "lr": 0.01},
        "train": {"epochs": 4, "device": "cpu", "precision": "fp32", "checkpoint_every": 2},
        **sections,
    }


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tags.yaml"
    path.write_text(json.dumps(tags()), encoding="utf-8")  # which is YAML, too
    return path


def thresholds_of(run: Path) -> list[float]:
    found: list[float] = best(run).document["experiment"]["loss"]["threshold"]
    return found


def shares_of(run: Path, points: Any) -> Any:
    """The probabilities of points, from the weights that plain safetensors reads."""
    tensors = load_file(run / "checkpoints" / "best.safetensors")
    weight, bias = (tensors[f"model.linear1.{name}"] for name in ("weight", "bias"))
    return torch.nn.functional.linear(torch.tensor(points), weight, bias).sigmoid().numpy()


def test_labels_are_trained_on_and_evaluated(config: Path, quick_cli: Cli, tmp_path: Path) -> None:
    trained = quick_cli("train", config)
    assert trained.returncode == 0, trained.stderr
    run = tmp_path / "runs" / "tags"
    rows = rows_of(run)
    assert rows[-1]["val_loss"] < rows[0]["val_loss"]
    assert (
        f"validation mAP {max(row['val_average_precision'] for row in rows):.2%}" in trained.stdout
    )

    data = tags()["data"]
    shares, labels = shares_of(run, data["test_inputs"]), np.array(data["test_targets"])
    thresholds = thresholds_of(run)
    assert len(set(thresholds)) > 1
    predicted = shares > np.array(thresholds, dtype=np.float32)
    found = json.loads(quick_cli("eval", run, "--json").stdout)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))
    precision = metrics.average_precision_score(labels, shares, average="macro")
    assert found["average_precision"] == pytest.approx(precision)
    f1s = metrics.f1_score(labels, predicted, average=None)
    for row, name, f1, threshold in zip(found["labels"], NAMES, f1s, thresholds, strict=True):
        assert (row["name"], row["threshold"]) == (name, threshold)
        assert row["f1"] == pytest.approx(f1)
    said = f"test: loss {found['loss']:.4f}, accuracy {found['accuracy']:.2%}, mAP {precision:.2%}"
    assert said in trained.stdout

    table = quick_cli("eval", run).stdout
    assert table.splitlines()[1].startswith(f"loss {found['loss']:.4f}, accuracy ")
    assert [line.split()[0] for line in table.splitlines() if "%" in line][-6:] == [
        *NAMES,
        *("micro", "macro", "weighted"),
    ]
    assert max(map(len, table.splitlines())) <= 80
    (listed,) = json.loads(quick_cli("runs", "--json").stdout)
    assert listed["kept_because"] == "the best mAP on the validation split"


def test_the_thresholds_have_the_highest_f1_on_the_validation_split(
    config: Path, quick_cli: Cli, tmp_path: Path
) -> None:
    assert quick_cli("train", config).returncode == 0
    run = tmp_path / "runs" / "tags"
    found = json.loads(quick_cli("eval", run, "--split", "validation", "--json").stdout)
    given = json.loads(
        quick_cli(
            "eval", _with_fixed(run, [0.5, 0.5, 0.5]), "--split", "validation", "--json"
        ).stdout
    )
    for own, plain in zip(found["labels"], given["labels"], strict=True):
        assert own["f1"] >= plain["f1"]
        assert own["average_precision"] == plain["average_precision"]
    assert found["macro_f1"] > given["macro_f1"]


def _with_fixed(run: Path, thresholds: list[float]) -> Path:
    """The best checkpoint of a run, with other thresholds."""
    checkpoint = best(run)
    checkpoint.document["experiment"]["loss"]["threshold"] = thresholds
    path = run.parent / "fixed.safetensors"
    save(checkpoint, path)
    return path


def test_a_stopped_run_resumes_to_the_same_bits(
    config: Path, quick_cli: Cli, tmp_path: Path
) -> None:
    assert quick_cli("train", config).returncode == 0
    assert quick_cli("train", config, "train.epochs=2", "--runs", "parts").returncode == 0
    parts = tmp_path / "parts" / "tags"
    resumed = quick_cli("train", "--resume", parts, "train.epochs=4")
    assert resumed.returncode == 0, resumed.stderr
    run = tmp_path / "runs" / "tags"
    assert_same_state(last(parts), last(run))
    assert best(parts).document["experiment"]["loss"] == best(run).document["experiment"]["loss"]
    assert rows_of(parts) == rows_of(run)
    results = [json.loads((each / "result.json").read_text("utf-8")) for each in (parts, run)]
    assert results[0] == results[1]
    # what the run is resumed from still leaves them to be measured
    assert last(run).document["experiment"]["loss"]["threshold"] == "auto"


@pytest.mark.usefixtures("as_before")
def test_thresholds_that_are_set_stay_as_they_are() -> None:
    loss = {"name": "bce_with_logits", "threshold": [0.25, 0.5, 0.75]}
    training = Training.of(setup_of(tags(loss=loss)))
    training.begin()
    training.fit()
    settled = capture_best(training.run).document["experiment"]
    assert settled["loss"]["threshold"] == [0.25, 0.5, 0.75]
    assert settled == training.run.experiment.plain()


@pytest.mark.usefixtures("as_before")
def test_without_a_validation_split_thresholds_are_a_half() -> None:
    plain = tags()
    plain["data"]["validation"] = 0.0
    training = Training.of(setup_of(plain))
    training.begin()
    training.fit()
    assert training.run.experiment.train.monitor == "accuracy"
    assert [task.thresholds for task in training.settled_tasks()] == [(0.5, 0.5, 0.5)]
    assert capture_best(training.run).document["experiment"]["loss"]["threshold"] == "auto"


@pytest.mark.usefixtures("as_before")
def test_labels_of_a_head_have_thresholds_of_their_own() -> None:
    plain = tags()
    data = plain["data"]
    sides = [row[0] for row in data["targets"]]
    data |= {"targets": {"side": sides, "tags": data["targets"]}, "classes": {"tags": NAMES}}
    del data["test_inputs"], data["test_targets"]
    head = {"layers": [{"linear": "classes"}]}
    heads = {"tags": head, "side": {**head, "loss": "cross_entropy"}}
    plain["model"] = {"layers": [{"linear": 4}, "tanh"], "heads": heads}
    training = Training.of(setup_of(plain))
    training.begin()
    training.fit()
    found = capture_best(training.run).document["experiment"]["model"]["heads"]
    assert found["tags"]["loss"]["threshold"] == training.run.thresholds["tags"]
    assert found["side"]["loss"]["name"] == "cross_entropy"
    assert training.run.experiment.train.monitor == "accuracy"
