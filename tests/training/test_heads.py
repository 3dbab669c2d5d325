"""Networks with several heads and auxiliary classifiers are trained, resumed and compiled."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch.nn import functional

from cnnctl.training.run import Run
from cnnctl.training.state import capture_best, capture_last, restore
from cnnctl.training.step import make_step
from tests.conftest import Cli, rows_of
from tests.training.conftest import assert_same_state, run_of

MODEL: dict[str, Any] = {
    "layers": [
        {"conv": {"out_channels": 4, "padding": 1}},
        {"auxiliary": {"layers": ["global_avg_pool", {"linear": 10}], "head": "digit"}},
        "relu",
        "flatten",
    ],
    "heads": {
        "parity": {"layers": [{"linear": 2}], "weight": 0.5},
        "digit": {"layers": [{"linear": 10}]},
    },
}
SHIPPED = """\
name: two
data: {name: digits, batch_size: 256}
model:
  layers: [conv: {out_channels: 4, padding: 1}, auxiliary: {layers: [global_avg_pool, linear: 10], \
head: digit}, relu, flatten]
  heads: {digit: {layers: [linear: classes]}, parity: {layers: [linear: classes], weight: 0.5}}
optimizer: {name: adam, lr: 0.01}
train: {epochs: 3, device: cpu, precision: fp32, compile: false}
"""


def new_run(**train: Any) -> Run:
    plain = {"data": "digits", "model": MODEL, "optimizer": "adam", "train": train}
    return run_of(plain, input=(1, 8, 8), classes=10)


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    digits = torch.randint(10, (6,), generator=draw)
    images = torch.randn(6, 1, 8, 8, generator=draw)
    return images, torch.stack([digits % 2, digits], dim=1).float()


def test_the_gradient_is_that_of_all_losses_by_their_weights() -> None:
    run = new_run()
    run.begin_epoch()
    images, targets = batch()
    outputs = run.network(images)
    digits = targets[:, 1].long()
    loss = 0.5 * functional.cross_entropy(outputs[:, :2], digits % 2)
    loss += functional.cross_entropy(outputs[:, 2:12], digits)
    loss += 0.3 * functional.cross_entropy(outputs[:, 12:], digits)
    expected = torch.autograd.grad(loss, list(run.network.parameters()))
    make_step(run).differentiate([(images, targets)], run.tally)
    found = [parameter.grad for parameter in run.network.parameters()]
    torch.testing.assert_close(found, list(expected))

    total, (parity, digit) = run.tally.read()
    assert total == pytest.approx(float(loss.detach()))
    assert parity == pytest.approx(float((outputs[:, :2].argmax(1) == digits % 2).float().mean()))
    assert digit == pytest.approx(float((outputs[:, 2:12].argmax(1) == digits).float().mean()))


def test_a_restored_run_goes_on_to_the_same_bits() -> None:
    unbroken, killed = new_run(), new_run()
    for run in (unbroken, killed):
        run.begin_epoch()
        make_step(run)([batch(1)])
    resumed = new_run()
    restore(resumed, capture_last(killed))
    for run in (unbroken, resumed):
        run.begin_epoch()
        make_step(run)([batch(2)])
    assert_same_state(capture_last(unbroken), capture_last(resumed))


def test_a_checkpoint_names_the_classes_of_each_head() -> None:
    names = capture_best(new_run()).document["class_names"]
    assert names == {"parity": ["even", "odd"], "digit": list("0123456789")}


@pytest.mark.long
def test_compiled_auxiliary_classifiers_give_the_same_gradient() -> None:
    plain, compiled = new_run(), new_run(compile=True)
    for run in (plain, compiled):
        run.begin_epoch()
        make_step(run).differentiate([batch()], None)
    for one, other in zip(plain.network.parameters(), compiled.network.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-5)


def test_heads_are_followed_and_evaluated_one_by_one(quick_cli: Cli, tmp_path: Any) -> None:
    (tmp_path / "two.yaml").write_text(SHIPPED, encoding="utf-8")
    trained = quick_cli("train", "two.yaml")
    assert trained.returncode == 0, trained.stderr
    assert "digit " in trained.stdout
    assert "parity accuracy" in trained.stdout
    rows = rows_of(tmp_path / "runs" / "two")
    heads = {"digit_accuracy", "parity_accuracy"}
    assert {f"val_{name}" for name in (*heads, "accuracy", "digit_loss", "parity_loss")} <= set(
        rows[-1]
    )
    assert {f"train_{name}" for name in (*heads, "loss", "accuracy")} <= set(rows[-1])
    assert rows[-1]["val_loss"] == pytest.approx(
        rows[-1]["val_digit_loss"] + 0.5 * rows[-1]["val_parity_loss"], rel=1e-6
    )
    evaluated = quick_cli("eval", "runs/two", "--json")
    assert evaluated.returncode == 0, evaluated.stderr
    found = json.loads(evaluated.stdout)
    digit, parity = found["heads"]["digit"], found["heads"]["parity"]
    assert found["loss"] == pytest.approx(digit["loss"] + 0.5 * parity["loss"])
    assert [scores["name"] for scores in parity["classes"]] == ["even", "odd"]
    assert sum(map(sum, digit["confusion"])) == 360
    table = quick_cli("eval", "runs/two").stdout
    lines = table.splitlines()
    assert lines.index("head digit") < lines.index("head parity")
    assert max(map(len, lines)) < 100  # as wide as what is in it
