"""What is watched besides loss and accuracy is measured, shown, stored, and decides."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn import metrics

from cnnctl.evaluation.scores import score
from cnnctl.metrics import METRICS, Counted, Watched
from cnnctl.training.run import Run
from tests.conftest import Cli, rows_of
from tests.training.conftest import run_of

LAYERS = [{"linear": 5}, "tanh", {"linear": "classes"}]
RARE = [
    kind
    for kind, metric in METRICS.items()
    if issubclass(metric, Watched) and "class" in metric.measures and not metric.is_always_followed
]
"""What is measured of classes only where it is watched."""
every_rare = pytest.mark.parametrize("kind", RARE)


def moons(**sections: Any) -> Run:
    return run_of({"data": {"name": "moons"}, "model": {"layers": LAYERS}, **sections})


def evaluated(run: Run) -> tuple[dict[str, float], list[int], list[int]]:
    """What is measured of a run, of 40 points with these classes and predictions."""
    draw = torch.Generator().manual_seed(0)
    points, classes = torch.randn(40, 2, generator=draw), torch.randint(2, (40,), generator=draw)
    with torch.no_grad():
        outputs = run.network(points)
    found = score(run.answers, outputs, classes, watched=run.watched)
    return found, classes.tolist(), outputs.argmax(1).tolist()


@every_rare
def test_what_is_watched_is_computed_from_the_confusion_matrix(kind: str) -> None:
    found, classes, predicted = evaluated(moons(train={"monitor": kind}))
    counts = torch.tensor(metrics.confusion_matrix(classes, predicted))
    metric = METRICS[kind]()
    assert isinstance(metric, Counted)
    assert set(found) == {"loss", "accuracy", kind}
    assert found[kind] == pytest.approx(metric.compute(counts))


def test_nothing_else_is_measured_unless_it_is_watched() -> None:
    assert set(evaluated(moons())[0]) == {"loss", "accuracy"}


@every_rare
def test_early_stopping_can_watch_what_does_not_choose_the_best(kind: str) -> None:
    stopping = {"patience": 2, "monitor": kind}
    run = moons(train={"monitor": "loss"}, regularization={"early_stopping": stopping})
    assert kind in evaluated(run)[0]
    assert run.patience is not None
    assert run.patience.more_is_better


@every_rare
def test_plateau_can_watch_what_does_not_choose_the_best(kind: str) -> None:
    run = moons(train={"monitor": "loss"}, scheduler={"name": "plateau", "monitor": kind})
    assert kind in evaluated(run)[0]


@every_rare
def test_plateau_cuts_the_rate_when_it_does_not_improve(
    kind: str, tiny: Path, cli: Cli, tmp_path: Path
) -> None:
    plateau = f"scheduler={{name: plateau, monitor: {kind}, patience: 0, threshold: 0.05}}"
    done = cli("train", tiny, plateau, "train.epochs=6", "train.monitor=loss")
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path / "runs" / "tiny")
    best, lr, cuts = -1.0, rows[0]["lr"], 0
    for row, following in pairwise(rows):
        is_better = row[f"val_{kind}"] > best + 0.05 * abs(best) * (best >= 0)
        best = row[f"val_{kind}"] if is_better else best
        lr, cuts = (lr, cuts) if is_better else (lr * 0.1, cuts + 1)
        assert following["lr"] == pytest.approx(lr)
    assert cuts
    text = (tmp_path / "runs" / "tiny" / "config.yaml").read_text(encoding="utf-8")
    assert f"monitor: {kind}" in text
    assert "mode: max" in text


@every_rare
def test_of_heads_it_is_the_mean(kind: str) -> None:
    head = {"layers": [{"linear": "classes"}]}
    model = {"layers": ["flatten"], "heads": {"parity": head, "digit": head}}
    run = run_of({"data": "digits", "model": model}, input=(1, 8, 8), classes=10)
    draw = torch.Generator().manual_seed(0)
    digits = torch.randint(10, (50,), generator=draw)
    targets = torch.stack([digits % 2, digits], dim=1).float()
    outputs = torch.randn(50, 12, generator=draw)
    metric = METRICS[kind]()
    assert isinstance(metric, Counted)
    found = score(run.answers, outputs, targets, watched=[metric])
    own = [found[f"{head}_{kind}"] for head in ("parity", "digit")]
    assert found[kind] == pytest.approx(sum(own) / 2)
    assert len(set(own)) == 2


@every_rare
def test_it_is_on_the_line_in_the_files_and_in_the_list(
    kind: str, tiny: Path, quick_cli: Cli, tmp_path: Path
) -> None:
    done = quick_cli("train", tiny, f"train.monitor={kind}")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "tiny"
    rows = rows_of(run)
    metric = METRICS[kind]()
    assert isinstance(metric, Watched)
    values = [row[f"val_{kind}"] for row in rows]
    epochs = [line for line in done.stdout.splitlines() if line.startswith("epoch")]
    for line, value in zip(epochs, values, strict=True):
        assert f" {metric.label} {metric.show(value)}  lr " in line
    best = max(values)
    assert f"validation {metric.label} {metric.show(best)}" in done.stdout
    assert rows[values.index(best)]["kept"]

    (listed,) = json.loads(quick_cli("runs", "--json").stdout)
    assert listed[kind] == best
    assert listed["kept_because"] == f"the best {metric.label} on the validation split"
    heading, cells = quick_cli("runs").stdout.splitlines()
    assert kind in heading.split()
    assert metric.show(best) in cells.split()

    measured = json.loads(quick_cli("eval", run, "--split", "validation", "--json").stdout)
    assert measured[kind] == pytest.approx(best)
    text = quick_cli("eval", run, "--split", "validation").stdout
    assert f"{metric.label} {metric.show(best).replace('%', ' %')}" in text
    assert kind in json.loads((run / "result.json").read_text(encoding="utf-8"))["test"]
