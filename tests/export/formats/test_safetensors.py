"""Weights by their names, with what they are for."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from cnnctl.export.format import Wishes
from cnnctl.export.formats import FORMATS
from cnnctl.model.weights_file import read_weights
from cnnctl.sealing import is_whole, metadata_of
from tests.conftest import TINY
from tests.export.running import checked, here, opened


def test_the_file_holds_the_weights_and_what_they_are_for(tmp_path: Path) -> None:
    original = opened(tmp_path, TINY)
    assert checked(original, "safetensors", tmp_path).difference == 0
    content = (tmp_path / "x.safetensors").read_bytes()
    facts = {name: text for name, text in metadata_of(content).items() if name != "sha256"}
    known = {name: json.loads(text) for name, text in facts.items()}
    assert is_whole(content)
    [output] = known["outputs"]
    assert output["classes"] == [*"0123456789"]
    assert output["is"] == "logits"
    assert known["preprocessing"]["scale"] == 255
    assert known["experiment"] == original.experiment.plain()
    assert known["input"]["shape"] == ["batch", 1, 8, 8]


def test_model_weights_reads_the_file(tmp_path: Path) -> None:
    original = opened(tmp_path, TINY, "seed=3")
    checked(original, "safetensors", tmp_path)
    again = opened(tmp_path, TINY, f"model.weights={tmp_path}/x.safetensors")
    own, theirs = (each.network.state_dict() for each in (original, again))
    assert all(torch.equal(own[name], theirs[name]) for name in own)
    assert read_weights(tmp_path / "x.safetensors").keys() == own.keys()


def test_a_tensor_that_differs_is_seen(tmp_path: Path) -> None:
    original = opened(tmp_path, TINY)
    checked(original, "safetensors", tmp_path)
    [weight, *_] = original.network.parameters()
    weight[0, 0] += 1e-6
    found = FORMATS["safetensors"].check(original, Wishes(), tmp_path / "x.safetensors", here)
    assert not found.is_within
