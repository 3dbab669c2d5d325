"""Runs training scripts, and trains as they do, with what is random taken out of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnctl.data.loader import Batches
from cnnctl.experiment.loading import load
from cnnctl.export.source import network_source
from cnnctl.export.training_source.script import training_source
from cnnctl.training.setup import Setup, set_up
from cnnctl.training.training import Training

Namespace = dict[str, Any]


def setup_of(folder: Path, text: str, *overrides: str) -> Setup:
    """What training would start from, on the CPU in float32."""
    file = folder / "x.yaml"
    file.write_text(text, encoding="utf-8")
    own = ("train.device=cpu", "train.precision=fp32", *overrides)
    return set_up(load(file, own, data_root=folder), data_root=folder)


def source_of(setup: Setup) -> str:
    """The training script of an experiment."""
    loaded = setup.loaded
    return training_source(
        setup.experiment,
        loaded.plan,
        loaded.tasks,
        setup.splits,
        network=network_source(loaded.plan, name="Network"),
        name="Network",
    )


def executed(source: str, file: Path) -> Namespace:
    """The names that a script defines; its `main` is not called."""
    names: Namespace = {"__name__": "script", "__file__": str(file)}
    exec(compile(source, file, "exec"), names)
    return names


def trained_by_us(setup: Setup, patch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """The weights that our training keeps, with samples in their own order and no dropout."""
    with patch.context() as patched:
        patched.setattr(Batches, "order", lambda batches, number: batches.positions)
        training = Training.of(setup)
        without_dropout(training.run.network)
        training.begin()
        training.fit()
        return dict(training.store.best_weights())


def trained_by_script(setup: Setup, file: Path, patch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """The weights that the script keeps, from the same initial weights, in the same way."""
    names = executed(source_of(setup), file)
    build, initial = names["build_network"], setup.assemble().network.state_dict()

    def begun() -> nn.Module:
        network: nn.Module = build()
        network.load_state_dict(initial)
        return without_dropout(network)

    names["build_network"] = begun
    with patch.context() as patched:
        patched.setattr(torch, "randperm", lambda count, device=None: torch.arange(count))
        names["main"]()
    found: dict[str, Tensor] = torch.load(names["WEIGHTS"], weights_only=True)
    return found


def without_dropout(network: nn.Module) -> nn.Module:
    """The same network, in which dropout drops nothing."""
    for module in network.modules():
        if isinstance(module, nn.Dropout | nn.Dropout2d | nn.AlphaDropout):
            module.p = 0.0
    return network


def largest_difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest difference of two states with the same names."""
    assert one.keys() == other.keys()
    return max(float((one[name].float() - other[name].float()).abs().max()) for name in one)
