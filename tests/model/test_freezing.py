"""What is frozen holds still, until its epoch."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import nn

from cnnctl.errors import dotted
from cnnctl.model.freezing import check_freeze, classifier, freezing_of


def network() -> nn.Sequential:
    made = nn.Sequential()
    made.add_module("conv1", nn.Conv2d(1, 4, 3))
    made.add_module("batch_norm1", nn.BatchNorm2d(4))
    made.add_module("block1", nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)))
    made.add_module("flatten1", nn.Flatten())
    made.add_module("linear1", nn.Linear(64, 3))
    return made


def trained(module: nn.Module) -> set[str]:
    return {name for name, weight in module.named_parameters() if weight.requires_grad}


def test_the_classifier_is_the_last_matrix_and_what_follows() -> None:
    made = network()
    assert classifier(made) == ["linear1.weight", "linear1.bias"]
    made.add_module("prelu1", nn.PReLU())
    assert classifier(made) == ["linear1.weight", "linear1.bias", "prelu1.weight"]
    assert classifier(nn.Sequential(nn.ReLU())) == []


def test_the_backbone_is_all_but_the_classifier() -> None:
    made = network()
    freezing_of(made, "backbone", unfreeze_at=None).begin_epoch(1)
    assert trained(made) == {"linear1.weight", "linear1.bias"}


@pytest.mark.parametrize(
    ("patterns", "frozen"),
    [
        ([], set()),
        (["conv1"], {"conv1.weight", "conv1.bias"}),
        (
            ["block1.0", "*.bias"],
            {"block1.0.weight", "linear1.bias", "conv1.bias", "block1.0.bias"}
            | {"block1.1.bias", "batch_norm1.bias"},
        ),
    ],
)
def test_patterns_freeze_layers_with_all_below(patterns: list[str], frozen: set[str]) -> None:
    made = network()
    freezing_of(made, patterns, unfreeze_at=None).begin_epoch(1)
    assert {name for name, _ in made.named_parameters()} - trained(made) == frozen


@pytest.mark.parametrize(("freeze", "still"), [("backbone", True), (["block1"], False)])
def test_frozen_batch_norms_keep_their_statistics_while_others_train(
    freeze: Literal["backbone"] | list[str], still: bool
) -> None:
    made = network()
    freezing_of(made, freeze, unfreeze_at=None).begin_epoch(1)
    made(torch.randn(8, 1, 8, 8))
    state = made.state_dict()
    assert not state["block1.1.running_mean"].any()
    assert bool(state["batch_norm1.running_mean"].any()) is not still
    assert made.training


def test_everything_trains_from_its_epoch_on_and_not_before() -> None:
    made = network()
    everything = trained(made)
    freezing = freezing_of(made, "backbone", unfreeze_at=3)
    for epoch, whole in ((2, False), (3, True), (4, True), (1, False)):
        freezing.begin_epoch(epoch)
        assert (trained(made) == everything) is whole
        assert made.get_submodule("block1.1").training is whole


def test_what_never_trained_is_not_unfrozen() -> None:
    made = network()
    made.get_submodule("conv1").requires_grad_(False)
    freezing_of(made, "backbone", unfreeze_at=1).begin_epoch(1)
    assert "conv1.weight" not in trained(made)
    assert "block1.0.weight" in trained(made)


def test_patterns_that_match_nothing_are_faults_each_at_its_place() -> None:
    faults = check_freeze(["conv1", "blok1", "flatten1"], network().to("meta"))
    assert [dotted(fault.path) for fault in faults] == ["model.freeze.1", "model.freeze.2"]
    assert faults[0].hint == "did you mean block1?"


def test_nothing_left_to_learn_is_a_fault() -> None:
    (fault,) = check_freeze(["*"], network())
    assert dotted(fault.path) == "model.freeze"
    assert fault.hint


def test_unfreezing_needs_something_frozen() -> None:
    (fault,) = check_freeze([], network(), unfreeze_at=2)
    assert dotted(fault.path) == "model.unfreeze_at"
    assert not check_freeze("backbone", network(), unfreeze_at=2)
    assert not check_freeze([], network())
