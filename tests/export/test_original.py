"""What is exported is in float32 on the CPU, and comes with real inputs where they can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cnnctl.data.preparation import prepare
from cnnctl.errors import FaultError
from cnnctl.experiment import load
from cnnctl.export.original import open_original
from cnnctl.training.setup import set_up
from tests.conftest import TINY, invoke
from tests.export.running import opened

VALUES = "data: {name: diabetes}\nmodel: {layers: [{linear: 1}]}\nloss: mse\n"
MNIST = TINY.replace("name: digits", "name: mnist")


def test_a_config_gives_the_weights_that_training_starts_from(tmp_path: Path) -> None:
    original = opened(tmp_path, TINY, "train.memory_format=channels_last")
    started = set_up(load(tmp_path / "x.yaml")).assemble().network.state_dict()
    own = original.network.state_dict()
    assert own.keys() == started.keys()
    assert all(torch.equal(own[name], started[name]) for name in own)
    assert all(tensor.is_contiguous() for tensor in own.values())
    assert not original.is_trained
    assert not original.network.training


def test_real_inputs_are_from_all_of_a_split(tmp_path: Path) -> None:
    original = opened(tmp_path, TINY)
    train = prepare(original.experiment.data, seed=0).splits.train
    assert original.samples is not None
    assert original.samples.shape == (8, 1, 8, 8)
    assert original.samples.dtype == torch.uint8
    first, last = (train.samples.rows.take(train.positions[[end]])[0] for end in (0, -1))
    assert torch.equal(original.samples[0], first)
    assert torch.equal(original.samples[-1], last)


def test_a_run_gives_its_weights_and_its_statistics(tiny: Path, tmp_path: Path) -> None:
    done = invoke("train", tiny, "train.epochs=1", "--runs", tmp_path / "runs")
    assert done.exit_code == 0
    original, start = open_original(tmp_path / "runs" / "tiny"), open_original(tiny)
    assert original.is_trained
    assert original.trained.epoch == 1
    weights = original.network.state_dict()["linear1.weight"]
    assert not torch.equal(weights, start.network.state_dict()["linear1.weight"])
    assert original.preprocessing == start.preprocessing
    with pytest.raises(FaultError, match="overrides do not apply to a checkpoint"):
        open_original(tmp_path / "runs" / "tiny", ["seed=1"])


def test_without_its_data_a_network_has_no_statistics(tmp_path: Path) -> None:
    original = opened(tmp_path, MNIST)
    assert original.samples is None
    assert original.preprocessing is None
    assert "mnist" in original.unread.lower()
    assert original.random(3, raw=True).shape == (3, 1, 28, 28)
    known = opened(tmp_path, MNIST, "data.normalize={mean: [0.1], std: [0.3]}")
    assert known.samples is None
    assert known.preprocessing is not None


def test_random_inputs_are_as_stored_and_the_same_again(tmp_path: Path) -> None:
    original = opened(tmp_path, TINY)
    stored = original.random(4, raw=False)
    assert stored.dtype == torch.uint8
    assert stored.max() > 250
    assert torch.equal(stored, original.random(4, raw=False))
    features = opened(tmp_path, VALUES)
    prepared = features.inputs(features.random(500, raw=False))
    assert abs(float(prepared.mean())) < 0.1
    assert float(prepared.std()) == pytest.approx(1, abs=0.1)
