"""Several ranks take the steps of one process with the whole batch."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor

from cnnctl.errors import FaultError
from cnnctl.training.result import TrainingResult
from cnnctl.training.setup import Setup, set_up
from cnnctl.training.training import Training
from cnnctl.world import ALONE, World
from tests.ranks import in_threads
from tests.training.conftest import setup_of

pytestmark = pytest.mark.usefixtures("as_before")

LAYERS: list[Any] = [
    {"conv": {"out_channels": 4, "kernel_size": 3}},
    "tanh",
    {"avg_pool": 2},
    "flatten",
    {"linear": "classes"},
]
BASE: dict[str, Any] = {
    "data": {"name": "digits", "batch_size": 250},  # the last one has 43 of 1,293 samples
    "model": {"layers": LAYERS},
    "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9},
    "train": {"epochs": 1, "threads": 1},
}


def trained(setup: Setup, world: World) -> tuple[dict[str, Tensor], TrainingResult]:
    training = Training.of(setup_for(setup, world))
    training.begin()
    training.fit()
    return training.run.evaluated.state_dict(), training.result()


def setup_for(setup: Setup, world: World) -> Setup:
    """The same setup for one of several ranks."""
    return set_up(setup.loaded, data_root=None, world=world)


def assert_equal_to_one(plain: dict[str, Any], sizes: tuple[int, ...]) -> None:
    setup = setup_of(plain)
    alone, result = trained(setup, ALONE)
    for size in sizes:
        found = in_threads(size, lambda world: trained(setup, world))
        for weights, own in found:
            assert own.test == found[0][1].test
            for name, tensor in weights.items():
                assert torch.equal(tensor, found[0][0][name]), name
                torch.testing.assert_close(tensor, alone[name], atol=1e-5, rtol=0, msg=name)
        assert found[0][1].test == pytest.approx(result.test, abs=1e-4)


def merged(one: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    both = deepcopy(one)
    for key, value in more.items():
        own = both.get(key)
        both[key] = own | value if isinstance(own, dict) and "name" not in value else value
    return both


def layers(**more: Any) -> dict[str, Any]:
    return {"model": {"layers": LAYERS, **more}}


QUICK: dict[str, dict[str, Any]] = {
    "clip": {"regularization": {"clip_norm": 0.01, "l2": 0.001, "ema": 0.9}},
    "weights": {"loss": {"name": "cross_entropy", "weight": [1, 2, 3, 4, 5, 1, 0.5, 1, 1, 1]}},
    "short": {"data": {"name": "digits", "batch_size": 323}, "train": {"accumulate": 2}},
}
"""The last batch of `short` has one sample, so that all ranks but one have none."""
MORE: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulate": {"train": {"accumulate": 4}},
    "sum": {
        "loss": {"name": "cross_entropy", "reduction": "sum"},
        "optimizer": {"name": "sgd", "lr": 1e-3},
    },
    "unfreeze": layers(freeze=["conv1"], unfreeze_at=2),
    "freeze": layers(freeze=["conv1"]),
    "adamw": {"optimizer": {"name": "adamw", "lr": 0.003}, "scheduler": {"name": "cosine"}},
    # whose curvature, from differences of gradients, makes their rounding a thousand times larger
    "lbfgs": {
        "data": {"name": "digits", "batch_size": "all"},
        "optimizer": {"name": "lbfgs", "lr": 0.5, "max_iter": 2},
    },
    "heads": {
        "model": {
            "layers": LAYERS[:-1],
            "heads": {
                "digit": {"layers": [{"linear": "classes"}]},
                "parity": {"layers": [{"linear": "classes"}], "weight": 0.5},
            },
        },
    },
    "labels": {
        "data": {"name": "fake", "shape": [1, 8, 8], "multilabel": True, "samples": 500},
        "loss": "bce_with_logits",
    },
    "muon": {"optimizer": {"name": "muon", "lr": 0.01}, "regularization": {"lookahead": 2}},
    "parts": {"train": {"micro_batch_size": 40}},
    "plateau": {"scheduler": {"name": "plateau", "patience": 0, "factor": 0.5}},
    "balanced": {"data": {"name": "digits", "batch_size": 250, "sampler": "balanced"}},
    "mse": {"loss": "mse", "data": {"name": "digits", "batch_size": 100, "drop_last": True}},
}


@pytest.mark.parametrize("case", QUICK)
def test_ranks_take_the_steps_of_one_process(case: str) -> None:
    assert_equal_to_one(merged(BASE, QUICK[case]), (2, 3))


@pytest.mark.long
@pytest.mark.parametrize("case", QUICK | MORE)
def test_one_to_four_ranks_take_the_steps_of_one_process(case: str) -> None:
    longer = merged(BASE, {"train": {"epochs": 1 if case == "lbfgs" else 3, "monitor": "loss"}})
    assert_equal_to_one(merged(longer, (QUICK | MORE)[case]), (1, 2, 3, 4))


NORMALIZED = layers()
NORMALIZED["model"]["layers"] = [*LAYERS[:1], "batch_norm", *LAYERS[1:]]


def test_synchronized_batch_norm_is_that_of_one_process() -> None:
    synchronized = merged(NORMALIZED, {"train": {"sync_batch_norm": True}})
    assert_equal_to_one(merged(BASE, synchronized), (2, 3))


def test_running_statistics_are_those_of_all_ranks() -> None:
    setup = setup_of(merged(BASE, NORMALIZED))
    alone = trained(setup, ALONE)[0]
    (weights, _), (others, _) = in_threads(2, lambda world: trained(setup, world))
    for name, tensor in weights.items():
        assert torch.equal(tensor, others[name]), name
    mean, wanted = weights["batch_norm1.running_mean"], alone["batch_norm1.running_mean"]
    torch.testing.assert_close(mean, wanted, atol=0.05, rtol=0.1)


def refusal(more: dict[str, Any], *, size: int) -> str:
    setup = setup_of(merged(BASE, more))
    with pytest.raises(FaultError) as caught:
        set_up(setup.loaded, world=World(1, size))
    return str(caught.value)


def test_a_batch_that_ranks_cannot_divide_is_refused() -> None:
    few = {"data": {"name": "digits", "batch_size": 3}}
    assert "3 samples cannot be divided among 4 ranks" in refusal(few, size=4)
    linear = layers()
    linear["model"]["layers"] = ["flatten", {"linear": 4}, "batch_norm", {"linear": "classes"}]
    found = refusal(merged(linear, {"data": {"name": "digits", "batch_size": 645}}), size=2)
    assert "batch_norm" in found
    assert "the last batch has 3 samples for 2 ranks" in found
    last = {"data": {"name": "digits", "batch_size": 430}, "train": {"sync_batch_norm": True}}
    assert "data.drop_last=true" in refusal(last, size=4)
    compiled = {"train": {"sync_batch_norm": True, "compile": True}}
    assert "train.compile=false" in refusal(compiled, size=2)
