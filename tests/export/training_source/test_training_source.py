"""Training scripts: what they read as, and that they train as the experiment does."""

from pathlib import Path

import pytest

from cnnctl.shipped import text_of
from tests.export.training_source.scripts import (
    largest_difference,
    setup_of,
    source_of,
    trained_by_script,
    trained_by_us,
)

MOONS = """\
data: {name: moons, samples: 60, test_samples: 20, batch_size: 16, validation: 0.2}
model: {layers: [{linear: 6}, tanh, {linear: 4}, relu, {linear: classes}]}
train: {epochs: 4}
"""


def is_same(folder: Path, text: str, patch: pytest.MonkeyPatch, *overrides: str) -> None:
    setup = setup_of(folder, text, *overrides)
    ours = trained_by_us(setup, patch)
    theirs = trained_by_script(setup, folder / "script.py", patch)
    assert largest_difference(ours, theirs) < 1e-5
    start = setup.assemble().network.state_dict()
    assert largest_difference(start, ours) > 1e-4  # something was learned


def test_lenet_as_a_script_is_short_and_needs_no_cnnctl(tmp_path: Path) -> None:
    source = source_of(setup_of(tmp_path, text_of("lenet")))
    assert "import cnnctl" not in source
    assert sum(map(bool, source.split("\n"))) <= 130


@pytest.mark.parametrize(
    "override",
    [
        "optimizer={name: sgd, lr: 0.1, momentum: 0.9, nesterov: true}",
        "optimizer={name: adamw, lr: 0.01}",
        "regularization={weight_decay: 0.1}",
        "regularization={l1: 0.01, l2: 0.02, clip_norm: 0.1, clip_value: 0.05}",
        "regularization={ema: 0.9}",
        "regularization={early_stopping: 1}",
        "scheduler={name: one_cycle, warmup: 1}",
        "scheduler={name: step, step_size: 1, warmup: 2}",
        "train.accumulate=2",
        "data.batch_size=all",
        "data.drop_last=true",
    ],
)
def test_a_script_trains_to_the_same_weights(
    override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_same(tmp_path, MOONS, monkeypatch, override)
